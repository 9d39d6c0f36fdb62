"""Where the time of a block goes."""

from __future__ import annotations

import pytest

from harness.spec import Event
from harness.trial import stopwatch
from harness.trial.stopwatch import Stopwatch


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """The time that was set."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands for the time of the stopwatch."""
    made = Clock()
    monkeypatch.setattr(stopwatch, "time", made)
    return made


def tell(watch: Stopwatch, number: int, **moments: float) -> None:
    """The events of a slice, at moments in seconds."""
    for name, at_s in moments.items():
        watch.heard(Event(event=name, arm="p1a", round=number, at_ns=round(at_s * 1e9)))  # type: ignore[arg-type]


def test_all_of_a_block_is_accounted_for(clock: Clock) -> None:
    """What nothing claims was spent waiting, and the parts are the whole."""
    watch = Stopwatch()
    with watch.on("launch"):
        clock.now += 2
    clock.now += 1
    tell(watch, -1, started=10.0, drained=10.75)
    tell(watch, 0, started=11.0, opened=11.25, closed=11.75, drained=12.0)
    tell(watch, 1, started=12.0, opened=12.25, closed=12.75, drained=13.25)
    clock.now += 5
    with watch.on("stop"):
        clock.now += 0.5
    times = watch.lap()
    assert (times.launch_s, times.warm_up_s, times.load_s, times.edges_s) == pytest.approx((2, 0.75, 1.0, 1.25))
    assert (times.verify_s, times.stop_s, times.waiting_s) == pytest.approx((0, 0.5, 8.5 - 2 - 0.75 - 2.25 - 0.5))
    assert times.total_s == pytest.approx(8.5)


def test_a_lap_begins_where_the_last_one_ended(clock: Clock) -> None:
    """Nothing of one block stands in the next."""
    watch = Stopwatch()
    with watch.on("launch"):
        clock.now += 2
    watch.lap()
    clock.now += 3
    times = watch.lap()
    assert (times.launch_s, times.waiting_s) == (0, 3)


def test_a_slice_that_never_opened_is_all_edges(clock: Clock) -> None:
    """As where it was stopped early."""
    watch = Stopwatch()
    tell(watch, 0, started=1.0, opened=1.25, closed=1.5, drained=1.5)
    tell(watch, 1, started=2.0, drained=2.5)
    clock.now += 1
    times = watch.lap()
    assert (times.load_s, times.edges_s) == pytest.approx((0.25, 0.75))
