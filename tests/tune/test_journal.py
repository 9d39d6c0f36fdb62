"""What an interrupted tuning leaves, and how it is gone on with."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import RecordError, UsageError
from harness.tune.candidates import Candidate
from harness.tune.conclusion import recommend
from harness.tune.journal import Journal
from tests.tune.tune_support import ARM, FAST, Fake, session


@pytest.mark.parametrize("step", [3, 6, 12, 20])
def test_what_was_interrupted_is_gone_on_with(step: int, tmp_path: Path) -> None:
    """The second sitting begins where the first ended, in time too, and comes to the same answer."""
    journal = Journal(tmp_path / "steps.jsonl")
    journal.begin(FAST)
    first = session(Fake(stop_at=step), journal=journal)
    assert first.interrupted
    with journal.path.open("ab") as file:
        file.write(b'{"torn')
    question, tuning = journal.resume()
    assert question == FAST
    assert (tuning.setup, tuning.blocks, tuning.trials) == (first.setup, first.blocks, first.trials)
    assert tuning.rate_blocks == first.rate_blocks
    fake = Fake()
    second = session(fake, question, journal=journal, tuning=tuning)
    assert second.ending == "settled"
    assert first.elapsed_s + fake.now <= FAST.budget_s, "the torn step took of the budget too"
    assert second.elapsed_s == pytest.approx(first.elapsed_s + fake.now)
    starts = [trial.start_s for trial in second.trials]
    assert starts == sorted(starts)
    recommendation = recommend(FAST, ARM, second)
    assert recommendation.recommended == Candidate(16)
    assert recommendation.capacity_rps is not None
    assert recommendation.capacity_rps.settled
    assert recommendation.ended == session(Fake()).held
    assert len(journal.resume()[1].trials) == len(second.trials)


def test_what_a_failure_broke_off_is_gone_on_with(tmp_path: Path) -> None:
    """The second sitting keeps what the first measured, and comes to an end."""
    journal = Journal(tmp_path / "steps.jsonl")
    journal.begin(FAST)
    first = session(Fake(fail_at=12), journal=journal)
    assert first.failure is not None
    question, tuning = journal.resume()
    second = session(Fake(), question, journal=journal, tuning=tuning)
    assert (second.failure, second.ending) == (None, "settled")
    assert second.trials[: len(first.trials)] == first.trials


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (None, "cannot be read"),
        ("", "nothing was measured"),
        ('{"budget_s": 300.0, "margin": 0.05}\n', "nothing was measured"),
    ],
)
def test_what_has_no_steps_cannot_be_gone_on_with(lines: str | None, why: str, tmp_path: Path) -> None:
    """With what to do instead."""
    path = tmp_path / "steps.jsonl"
    if lines is not None:
        path.write_text(lines)
    with pytest.raises(UsageError, match=why):
        Journal(path).resume()


def test_a_line_that_is_no_step_is_refused_by_its_number(tmp_path: Path) -> None:
    """The error names the file and the line."""
    path = tmp_path / "steps.jsonl"
    path.write_text('{"budget_s": 300.0, "margin": 0.05}\n{"block": 7}\n')
    with pytest.raises(RecordError, match="line 2 is not what tune writes"):
        Journal(path).resume()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow: a write fails as it does on a full disk, while cutting a file shorter still works."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_resuming_does_not_write_whole_lines_again(tmp_path: Path) -> None:
    """A full disk, or a kill at that moment, costs no step: the torn line is cut off and the rest is not touched."""
    journal = Journal(tmp_path / "steps.jsonl")
    journal.begin(FAST)
    first = session(Fake(stop_at=6), journal=journal)
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + b'{"torn')
    with full_disk():
        _, tuning = journal.resume()
    assert journal.path.read_bytes() == whole
    assert tuning.blocks == first.blocks
