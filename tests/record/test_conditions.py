"""A run goes on with what it was begun with, or says what has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import record
from harness.errors import UsageError
from harness.record import SittingRow, code, conditions
from harness.record import sitting as sittings
from harness.strict import adapter
from harness.suite import Options, build, load_suite, rounds
from tests import factories
from tests.suite.mix_support import written

RUN = factories.simulated_run()
BEFORE = SittingRow(
    started="2026-11-24T09:00:00.000+00:00",
    versions={"uvicorn": "0.40.0", "redis": "7.2"},
    environment={"cpu": "A", "cpus": 2, "kernel": "6.0", "usable_cpus": [0, 1], "load_average": [1.0]},
    placement={"server": (0,), "generator": (1,), "services": (1,)},
    code={"flask": "aa", "fastapi": "bb"},
)


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        ({"environment": BEFORE.environment | {"load_average": [2.0]}, "started": "later"}, {}),
        ({"environment": BEFORE.environment | {"cpu": "B"}}, {"machine: cpu": ("A", "B")}),
        ({"environment": BEFORE.environment | {"cpus": 4}}, {"machine: cpus": ("2", "4")}),
        ({"environment": BEFORE.environment | {"kernel": "6.1"}}, {"machine: kernel": ("6.0", "6.1")}),
        ({"versions": {"uvicorn": "0.41.0"}}, {"versions: uvicorn": ("0.40.0", "0.41.0")}),
        ({"versions": {"uvicorn": "0.40.0", "new": "1"}}, {}),
        ({"code": {"flask": "aa", "fastapi": "cc"}}, {"code: fastapi": ("bb", "cc")}),
        (
            {"environment": BEFORE.environment | {"usable_cpus": [0, 2]}},
            {"placement": ("CPUs 0, 1", "usable CPUs 0, 2")},
        ),
    ],
)
def test_what_differs_between_two_sittings_is_named(now: dict[str, Any], changed: dict[str, tuple[str, str]]) -> None:
    """Machine, versions, code and placement; not what differs from minute to minute."""
    assert conditions.changes(BEFORE, replace(BEFORE, **now)) == changed


def test_another_machine_of_the_generators_is_another_machine() -> None:
    """By its CPUs and kernel; not by its memory, which differs from boot to boot."""
    ten = {"cpu": "A", "cpus": 2, "kernel": "6.0", "memory_bytes": 1000}
    before = replace(BEFORE, environment=BEFORE.environment | {conditions.GENERATORS: {"ten": ten}})
    booted = {conditions.GENERATORS: {"ten": ten | {"memory_bytes": 990}}}
    assert conditions.changes(before, replace(BEFORE, environment=BEFORE.environment | booted)) == {}
    more = {conditions.GENERATORS: {"ten": ten | {"cpus": 4}}}
    assert conditions.changes(before, replace(BEFORE, environment=BEFORE.environment | more)) == {
        "machine: ten (generators)": ("cpu A, cpus 2, kernel 6.0", "cpu A, cpus 4, kernel 6.0")
    }


def test_another_machine_of_the_servers_is_another_machine() -> None:
    """By its CPUs and kernel, not by its round trip; the CPUs that are needed are its own."""
    ten = {"name": "ten", "cpu": "A", "cpus": 8, "kernel": "6.0", "usable_cpus": [0, 7], "round_trip_us": 200.0}
    before = replace(
        BEFORE,
        environment=BEFORE.environment | {conditions.SERVER: ten},
        placement={"server": (0,), "generator": (), "services": (7,)},
    )

    def now(**changed: object) -> SittingRow:
        return replace(before, environment=before.environment | {conditions.SERVER: ten | changed})

    assert conditions.changes(before, now(round_trip_us=900.0)) == {}
    assert list(conditions.changes(before, now(kernel="6.1"))) == ["machine: ten (servers)"]
    assert conditions.changes(before, now(usable_cpus=[0, 1])) == {"placement": ("CPUs 0, 7", "usable CPUs 0, 1")}


def begun(folder: Path) -> SittingRow:
    """A run without a row, and what its next sitting would be measured with if nothing changed."""
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, RUN.info):
        pass
    first = conditions.sittings(record.read_info(folder))[0]
    return replace(first, started="2026-11-25T09:00:00.000+00:00")


def test_a_resume_with_the_same_conditions_goes_on(tmp_path: Path) -> None:
    """With the placement that it had."""
    sitting = sittings.resume(tmp_path, begun(tmp_path))
    assert sitting.info.placement == RUN.info.placement


def test_a_resume_under_other_conditions_is_refused_unless_accepted(tmp_path: Path) -> None:
    """Each change by name; the versions of the earlier rows stay on record."""
    now = begun(tmp_path)
    changed = replace(now, versions=now.versions | {"fastapi": "9.9"}, environment={"cpu": "Other CPU"})
    with pytest.raises(UsageError, match=r"machine: cpu: Test CPU before, Other CPU now") as caught:
        sittings.resume(tmp_path, changed)
    assert "versions: fastapi: 0.165.0 before, 9.9 now" in str(caught.value)
    assert "--accept-changes" in str(caught.value)
    sitting = sittings.resume(tmp_path, changed, accept_changes=True)
    with record.writing(tmp_path, sitting.info) as writer:
        writer.note_version("redis", "8.0")
        writer.append(RUN.trials[0])
    info = record.read_info(tmp_path)
    assert info.versions == RUN.info.versions | {"redis": "8.0"}
    assert info.environment == RUN.info.environment
    assert [row.versions["fastapi"] for row in info.sittings] == ["0.165.0", "9.9"]
    assert [row.versions.get("redis") for row in info.sittings] == [None, "8.0"]
    assert [trial.sitting for trial in record.read(tmp_path).trials] == [1]


def test_a_placement_that_is_gone_is_made_anew_where_that_is_accepted(tmp_path: Path) -> None:
    """The next sitting is compared with it, and the first keeps its own."""
    now = begun(tmp_path)
    elsewhere = replace(now, environment=now.environment | {"usable_cpus": [7]})
    with pytest.raises(UsageError, match="placement: CPUs"):
        sittings.resume(tmp_path, elsewhere)
    sitting = sittings.resume(tmp_path, elsewhere, accept_changes=True)
    assert sitting.placement.server == (7,)
    with record.writing(tmp_path, sitting.info):
        pass
    info = record.read_info(tmp_path)
    assert info.placement == RUN.info.placement
    assert info.sittings[1].placement["server"] == (7,)


def test_a_run_of_before_there_were_sittings_goes_on(tmp_path: Path) -> None:
    """Its first sitting is what run.json itself says."""
    now = begun(tmp_path)
    path = tmp_path / record.INFO
    path.write_bytes(adapter(record.RunInfo).dump_json(RUN.info))
    with record.writing(tmp_path, sittings.resume(tmp_path, now).info):
        pass
    info = record.read_info(tmp_path)
    assert [row.versions for row in info.sittings] == [RUN.info.versions, RUN.info.versions]


def test_a_run_that_came_to_its_end_is_not_resumed(tmp_path: Path) -> None:
    """Nothing is left."""
    with record.writing(tmp_path, RUN.info) as writer:
        writer.finish()
    with pytest.raises(UsageError, match="came to its end"):
        sittings.resume(tmp_path)


def measured(folder: Path, blocks: int) -> None:
    """A finished run of `blocks` blocks."""
    run = factories.simulated_run(factories.plan(blocks=blocks))
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, run.info) as writer:
        for trial in run.trials:
            writer.append(trial)
        writer.finish()


def test_a_finished_run_is_extended_by_more_blocks(tmp_path: Path) -> None:
    """Nothing else of its plan changes, the sittings say when, and the order of the earlier blocks is what it was."""
    measured(tmp_path, 3)
    before = record.read_info(tmp_path)
    sitting = sittings.resume(tmp_path, accept_changes=True, blocks=8)
    assert sitting.info.plan == replace(before.plan, blocks=8)
    assert len(sitting.earlier) == 6
    with record.writing(tmp_path, sitting.info):
        info = record.read_info(tmp_path)
    assert (info.finished, info.plan.blocks) == (None, 8)
    assert [row.blocks for row in info.sittings] == [3, 8]
    (group,) = info.plan.groups
    for block in range(3):
        assert rounds(info.plan, group, block, "closed") == rounds(before.plan, group, block, "closed")
    assert sittings.resume(tmp_path, accept_changes=True).info.plan.blocks == 8, "an extension can be interrupted too"


def test_a_run_is_never_made_shorter(tmp_path: Path) -> None:
    """Neither than planned nor, where a width decides, than measured; as many as it has are none to add."""
    measured(tmp_path, 3)
    with pytest.raises(UsageError, match=r"--blocks 2: .* has 3, and --resume only adds to them"):
        sittings.resume(tmp_path, blocks=2)
    with pytest.raises(UsageError, match="came to its end: nothing is left to measure; --blocks with a higher number"):
        sittings.resume(tmp_path, blocks=3)
    run = factories.simulated_run(factories.plan(blocks=6))
    by_width = replace(run, info=replace(run.info, plan=replace(run.info.plan, blocks=3, width=0.02)))
    with pytest.raises(UsageError, match=r"--blocks 6: .* has measured 6"):
        sittings.extended(by_width, 6)
    assert sittings.extended(by_width, 7).plan.blocks == 7


def test_blocks_that_were_measured_before_sittings_had_a_number_of_them(tmp_path: Path) -> None:
    """They were those of the plan, for nothing could be added then."""
    measured(tmp_path, 3)
    info = record.read_info(tmp_path)
    old = replace(info, sittings=tuple(replace(row, blocks=None) for row in info.sittings))
    (tmp_path / record.INFO).write_bytes(adapter(record.RunInfo).dump_json(old))
    with record.writing(tmp_path, sittings.resume(tmp_path, accept_changes=True, blocks=4).info):
        pass
    assert [row.blocks for row in record.read_info(tmp_path).sittings] == [3, 4]


def test_options_that_would_change_the_plan_are_refused_by_name() -> None:
    """All of them at once; zero is a value too."""
    with pytest.raises(UsageError, match="--blocks, --seed: --resume goes on with the plan"):
        sittings.refuse_new_plan({"--blocks": 7, "--width": None, "--filter": "", "--baseline": None, "--seed": 0})
    sittings.refuse_new_plan({"--blocks": None, "--filter": ""})


def test_the_digest_is_of_the_code_that_is_imported(tmp_path: Path) -> None:
    """Not of what else lies in the folder."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "web.py").write_text("app = 1")
    first = code.digest(tmp_path, "shop.web:app")
    assert first is not None
    (tmp_path / "other.py").write_text("")
    (package / "shop.sqlite").write_text("")
    assert code.digest(tmp_path, "shop.web:app") == first
    (package / "web.py").write_text("app = 2")
    assert code.digest(tmp_path, "shop.web:app") != first


def test_a_single_module_has_a_digest_and_one_that_is_not_there_has_none(tmp_path: Path) -> None:
    """A target that cannot be read is an error of its launch, with the reason."""
    (tmp_path / "web.py").write_text("app = 1")
    assert code.digest(tmp_path, "web:app") is not None
    assert code.digest(tmp_path, "gone:app") is None
    assert code.digest(tmp_path, "\0:app") is None


def test_a_data_file_that_changed_is_named(tmp_path: Path) -> None:
    """The requests of a mix are filled from it: a run does not go on with others."""
    plan = build(*load_suite(str(written(tmp_path))), Options(seed=1))
    before = replace(BEFORE, code=code.digests(plan))
    (tmp_path / "people.csv").write_text("id,name,city\n7,Ada,Paris\n")
    now = replace(BEFORE, code=code.digests(plan))
    assert conditions.changes(before, now).keys() == {"code: data of mine"}
