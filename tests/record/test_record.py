"""The only reader and writer of results/."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness import record
from harness.errors import RecordError, UsageError
from tests import factories


def written(tmp_path: Path) -> tuple[Path, record.Run]:
    """A run on disk, and the run it was made from."""
    run = factories.simulated_run()
    folder = tmp_path / run.info.run
    with record.writing(folder, run.info) as writer:
        for trial in run.trials:
            writer.append(trial)
    return folder, run


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """To the last field."""
    folder, run = written(tmp_path)
    again = record.read(folder)
    assert again.trials == run.trials
    assert again.info == run.info
    assert again.torn == 0


def test_a_torn_last_line_is_tolerated_and_counted(tmp_path: Path) -> None:
    """And cut off when the run goes on."""
    folder, run = written(tmp_path)
    path = folder / record.TRIALS
    path.write_bytes(path.read_bytes()[:-40])
    again = record.read(folder)
    assert (len(again.trials), again.torn) == (len(run.trials) - 1, 1)
    with record.writing(folder, run.info) as writer:
        writer.append(run.trials[-1])
    assert record.read(folder).trials == run.trials


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


def test_a_block_that_is_not_whole_is_set_aside_on_resume(tmp_path: Path) -> None:
    """Its rows are kept beside the records."""
    folder, run = written(tmp_path)
    record.keep_only(folder, run.trials[:-1])
    part = record.read(folder)
    whole = record.whole_blocks(part)
    lost = run.trials[-1]
    assert not [trial for trial in whole if (trial.group, trial.block) == (lost.group, lost.block)]
    record.keep_only(folder, whole)
    assert record.read(folder).trials == whole
    assert len(list(folder.glob("trials.jsonl.before-resume*"))) == 2


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
