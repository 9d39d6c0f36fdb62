"""The only reader and writer of results/."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness import record
from harness.errors import RecordError, UsageError
from harness.record.sitting import own_folder
from harness.suite import Times
from tests import factories


def written(tmp_path: Path) -> tuple[Path, record.Run]:
    """A run on disk, and the run it was made from."""
    run = factories.simulated_run()
    folder = tmp_path / run.info.run
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, run.info) as writer:
        for trial in run.trials:
            writer.append(trial)
    return folder, run


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """To the last field."""
    folder, run = written(tmp_path)
    again = record.read(folder)
    assert again.trials == run.trials
    assert replace(again.info, sittings=()) == run.info
    assert (again.torn, again.superseded) == (0, 0)


def test_a_torn_last_line_is_tolerated_and_counted(tmp_path: Path) -> None:
    """And cut off when the run goes on."""
    folder, run = written(tmp_path)
    path = folder / record.TRIALS
    path.write_bytes(path.read_bytes()[:-40])
    again = record.read(folder)
    assert (len(again.trials), again.torn) == (len(run.trials) - 1, 1)
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, run.info):
        pass
    assert record.read(folder) == replace(again, info=record.read_info(folder), torn=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "format 99; this gatebench reads formats 1 and 2"),
        ({"cpu_s_per_request": -1e-6}, "cpu_s_per_request"),
        ({"surprise": 1}, "surprise"),
        ({"throughput_rps": "many"}, "throughput_rps"),
    ],
)
def test_a_record_that_is_not_what_it_must_be_is_refused_by_name(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    """File, line and key."""
    folder, _ = written(tmp_path)
    path = folder / record.TRIALS
    lines = path.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RecordError, match=r"trials\.jsonl:2") as caught:
        record.read(folder)
    assert said in str(caught.value)


def test_a_torn_line_in_the_middle_is_refused(tmp_path: Path) -> None:
    """Only the last can be the trace of a kill."""
    folder, _ = written(tmp_path)
    path = folder / record.TRIALS
    lines = path.read_text().splitlines()
    lines[0] = lines[0][:50]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RecordError, match=r"trials\.jsonl:1"):
        record.read(folder)


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    """Two in one second get two directories."""
    now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    first, second = (record.new_folder(tmp_path, "quick", now) for _ in range(2))
    assert first.name == "20261124T090000Z-quick"
    assert second != first


def test_a_run_is_found_by_path_name_part_and_age(tmp_path: Path) -> None:
    """An ambiguous or unknown name is said."""
    for second in (1, 2):
        folder = record.new_folder(tmp_path, "quick", datetime(2026, 11, 24, 9, 0, second, tzinfo=UTC))
        folder.mkdir(parents=True, exist_ok=True)
        with record.writing(folder, factories.simulated_run().info):
            pass
    newest = tmp_path / "20261124T090002Z-quick"
    reference = tmp_path / "reference-full"
    reference.mkdir()
    (reference / record.INFO).write_bytes((newest / record.INFO).read_bytes())
    assert record.find("latest", tmp_path) == newest
    assert record.find("090002", tmp_path) == newest
    assert record.find(str(newest), tmp_path) == newest
    with pytest.raises(UsageError, match="2 runs match"):
        record.find("quick", tmp_path)
    with pytest.raises(UsageError, match="no such run"):
        record.find("nothing", tmp_path)


def test_latest_goes_by_the_start_in_the_records_and_not_by_the_name(tmp_path: Path) -> None:
    """A folder that was renamed, copied, or asked for with --out has a name that says nothing of its time."""
    for name, started in (
        ("20990101T000000Z-quick", "2026-11-24T09:00:00.000+00:00"),
        ("mine", "2026-11-24T10:00:00.000+00:00"),
    ):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        with record.writing(tmp_path / name, replace(factories.simulated_run().info, started=started)):
            pass
    assert [path.name for path in record.folders(tmp_path)] == ["20990101T000000Z-quick", "mine"]
    assert record.find("latest", tmp_path).name == "mine"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"started": 5}', '{"started": "yesterday"}', "[" * 100_000])
def test_a_run_that_cannot_be_read_takes_its_place_by_the_time_in_its_name(tmp_path: Path, content: str) -> None:
    """It is listed, so that its fault is seen."""
    (tmp_path / "mine").mkdir(parents=True, exist_ok=True)
    with record.writing(tmp_path / "mine", replace(factories.simulated_run().info, started="2026-11-24T10:00:00Z")):
        pass
    for name in ("20261124T090000Z-broken", "20261124T110000Z-broken", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / record.INFO).write_text(content)
    names = [path.name for path in record.folders(tmp_path)]
    assert names == ["broken", "20261124T090000Z-broken", "mine", "20261124T110000Z-broken"]


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        ("a/../../../x", "a-..-..-..-x"),
        ("team/api", "team-api"),
        ("../..", "suite"),
        (".hidden", "hidden"),
        ("naïve \x00 <b>", "na-ve-b"),
        ("v1.2_final-b", "v1.2_final-b"),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_suite_name_stays_one_folder_in_the_results(tmp_path: Path, suite: str, name: str) -> None:
    """Whatever it is, the run is found again."""
    folder = record.new_folder(tmp_path / "results", suite, datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    assert folder.name == f"20261124T090000Z-{name}"
    assert folder.parent == tmp_path / "results"
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, factories.simulated_run().info):
        pass
    assert record.find("latest", tmp_path / "results") == folder


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_name_that_can_be_no_path_is_bad_usage(tmp_path: Path, name: str) -> None:
    """As a run, as the folder of the results, and as a folder to make."""
    (tmp_path / "results").mkdir()
    with pytest.raises(UsageError):
        record.find(name, tmp_path / "results")
    with pytest.raises(UsageError):
        record.find("latest", tmp_path / name)
    with pytest.raises(UsageError):
        record.new_folder(tmp_path / name, "quick")
    with pytest.raises(UsageError):
        own_folder(tmp_path / name)


def test_where_the_time_of_a_block_went_is_read_again(tmp_path: Path) -> None:
    """With the sitting that measured it; a torn last line is left out."""
    times = Times(launch_s=1.0, load_s=2.5)
    with record.writing(tmp_path, factories.simulated_run().info) as writer:
        writer.append_times("g1", 3, times)
    with (tmp_path / record.BLOCKS).open("a") as file:
        file.write('{"format": 2, "gro')
    assert record.read(tmp_path).blocks == (record.BlockRow(group="g1", block=3, sitting=0, times=times),)
    with record.writing(tmp_path, factories.simulated_run().info) as writer:
        writer.append_times("g1", 4, times)
    assert [(row.block, row.sitting) for row in record.read(tmp_path).blocks] == [(3, 0), (4, 1)]
