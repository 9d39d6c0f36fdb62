"""What the workers of a server have counted in an episode."""

from __future__ import annotations

from harness.subject.served import counting
from harness.trial.episodes.rows import Counted
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
