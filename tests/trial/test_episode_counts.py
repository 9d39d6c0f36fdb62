"""What the workers of a server have counted in an episode."""

from __future__ import annotations

import threading

import pytest

from harness.subject.served import counting
from harness.trial.episodes import rows
from harness.trial.episodes.rows import Counted, settled
from targets.served import Served


def test_an_app_that_is_not_ours_counts_nothing() -> None:
    """Which is not the same as no requests: its row would contradict what its clients know."""
    with counting() as served:
        before = Counted.of(served)
        assert before == Counted(None, None)
        assert Counted.of(served).since(before) == Counted(None, None)


def test_what_came_since_is_the_difference() -> None:
    """Of all workers."""
    with counting() as served:
        worker = Served(served.path)
        worker.begun()
        worker.finished()
        before = Counted.of(served)
        worker.begun()
        assert Counted.of(served).since(before) == Counted(1, 0)


def test_an_answer_that_its_client_knows_of_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as a worker may take to count what it has sent, and no longer."""
    with counting() as served:
        worker, before = Served(served.path), Counted(0, 0)
        worker.begun()
        late = threading.Timer(0.05, worker.finished)
        late.start()
        assert settled(served, before, good=1) == Counted(1, 1)
        late.join()
        monkeypatch.setattr(rows, "COUNTED_S", 0.05)
        assert settled(served, before, good=2) == Counted(1, 1)
