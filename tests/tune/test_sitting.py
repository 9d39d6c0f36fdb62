"""What a sitting leaves in its folder, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import record
from harness.errors import NothingValidError, UsageError
from harness.machine import environment
from harness.subject.receipts import Receipts
from harness.tune import journal
from harness.tune import sitting as sittings
from harness.tune.candidates import Candidate
from harness.tune.recommendation import FILE, Recommendation, load
from harness.tune.sitting import Sitting
from harness.tune.state import Tuning
from tests.tune.tune_support import ARM, Fake, instead, new_sitting


def sat(sitting: Sitting, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> tuple[Tuning, Recommendation]:
    """Measure with `fake`."""
    instead(monkeypatch, fake)
    return sittings.measure(sitting, lambda _: None)


def test_a_failed_relaunch_leaves_an_answer_and_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tune.json is written, run.json does not say that it came to its end, and --resume needs no new budget."""
    _, recommendation = sat(new_sitting(tmp_path), Fake(fail_at=20), monkeypatch)
    assert recommendation.failure == "gunicorn ended with exit code 3"
    assert load((tmp_path / FILE).read_bytes()) == recommendation
    assert record.read(tmp_path).info.finished is None
    again = sittings.resumed(tmp_path, None)
    assert len(again.tuning.trials) == len(recommendation.searched)
    _, whole = sat(again, Fake(), monkeypatch)
    assert whole.failure is None
    assert whole.capacity_rps is not None
    assert whole.capacity_rps.settled
    assert record.read(tmp_path).info.finished is not None


def test_a_whole_sitting_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And gone on with only with more budget."""
    _, recommendation = sat(new_sitting(tmp_path), Fake(), monkeypatch)
    assert recommendation.recommended == Candidate(16)
    assert record.read(tmp_path).info.finished is not None
    with pytest.raises(UsageError, match="came to its end"):
        sittings.resumed(tmp_path, None)
    assert sittings.resumed(tmp_path, 600.0).question.budget_s == 600.0


def test_a_tuning_that_is_still_running_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the line cut off that it is just writing."""
    sat(new_sitting(tmp_path), Fake(fail_at=20), monkeypatch)
    steps = tmp_path / journal.FILE
    with record.writing(tmp_path, record.read_info(tmp_path)):
        torn = steps.read_bytes() + b'{"elapsed_s":'
        steps.write_bytes(torn)
        with pytest.raises(UsageError, match="is measuring into it"):
            sittings.resumed(tmp_path, None)
        assert steps.read_bytes() == torn
    assert sittings.resumed(tmp_path, None).tuning.trials


def test_a_tuning_goes_on_under_other_conditions_only_where_that_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change is named, as in `run`."""
    sat(new_sitting(tmp_path), Fake(fail_at=20), monkeypatch)
    here = environment.describe()
    monkeypatch.setattr(environment, "describe", lambda: here | {"kernel": "9.9"})
    with pytest.raises(UsageError, match=r"machine: kernel: .* before, 9\.9 now\. Undo that, or .*--accept-changes"):
        sittings.resumed(tmp_path, None)
    again = sittings.resumed(tmp_path, None, accept_changes=True)
    sat(again, Fake(), monkeypatch)
    assert [row.environment["kernel"] for row in record.read_info(tmp_path).sittings][1:] == ["9.9"]


def test_a_server_that_cannot_be_launched_at_all_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package that is missing is named."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(sittings, "receipts", lambda _: Receipts(versions={}, missing={ARM.id: "no gunicorn"}))
    with pytest.raises(NothingValidError, match="no gunicorn"):
        sittings.measure(new_sitting(folder), lambda _: None)
    assert not folder.exists()
