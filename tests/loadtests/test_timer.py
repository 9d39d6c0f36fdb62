"""The timer, and the reactor that waits with it."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from loadtests.engine.reactor import IN, Reactor
from loadtests.engine.timer import Timer, monotonic_ns

MS = 1_000_000
PATIENCE_S = 20.0


@pytest.fixture
def timer() -> Iterator[Timer]:
    """A timer, closed at the end."""
    made = Timer()
    yield made
    made.close()


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """A reactor, closed at the end."""
    made = Reactor()
    yield made
    made.close()


def fires(timer: Timer, within_s: float) -> bool:
    """Whether it turns readable."""
    return bool(select.select([timer.fd], [], [], within_s)[0])


def test_a_timer_fires_when_it_is_due_and_never_before(timer: Timer) -> None:
    """At a moment of the monotonic clock, to less than a millisecond where nobody else wants the CPU."""
    for microseconds in (0, 50, 333, 1500):
        at = monotonic_ns() + microseconds * 1000
        timer.arm(at)
        assert fires(timer, PATIENCE_S)
        assert monotonic_ns() >= at


def test_a_moment_in_the_past_fires_at_once(timer: Timer) -> None:
    """A moment that has gone by fires at once."""
    timer.arm(1)
    assert fires(timer, PATIENCE_S)


def test_arming_again_replaces_the_moment_and_0_disarms(timer: Timer) -> None:
    """One moment at a time; also after it has fired."""
    timer.arm(1)
    assert fires(timer, PATIENCE_S)
    timer.arm(monotonic_ns() + 3600 * 1000 * MS)
    assert not fires(timer, 0)
    timer.arm(2)
    assert fires(timer, PATIENCE_S)
    timer.arm(0)
    assert not fires(timer, 0)


def test_calls_are_made_in_the_order_of_their_moments(reactor: Reactor) -> None:
    """Whatever the order in which they were asked for; equal moments in that order; none too early."""
    start = monotonic_ns()
    made: list[tuple[str, bool]] = []

    def call(name: str, at: int) -> None:
        reactor.at(at, lambda: made.append((name, monotonic_ns() >= at)))

    call("third", start + 3 * MS)
    call("first", start + MS)
    call("second", start + 2 * MS)
    call("second too", start + 2 * MS)
    call("past", start - MS)
    reactor.at(start + 4 * MS, reactor.stop)
    reactor.run()
    assert made == [(name, True) for name in ("past", "first", "second", "second too", "third")]


def test_a_call_repeats_until_it_is_over(reactor: Reactor) -> None:
    """Three times, then no more."""
    times: list[int] = []
    reactor.every(MS, lambda: times.append(monotonic_ns()), over=lambda: len(times) == 3)
    reactor.at(monotonic_ns() + 20 * MS, reactor.stop)
    reactor.run()
    assert len(times) == 3


def test_other_greenlets_run_while_sockets_are_busy(reactor: Reactor) -> None:
    """A socket that is always ready does not keep gevent from running, and can be ended from outside."""
    import gevent

    a, b = socket.socketpair()
    served: list[int] = []
    with a, b:
        a.send(b"x")  # never read, hence ready for ever
        reactor.watch(b.fileno(), served.append, IN)
        turns: list[int] = []

        def stops_in_the_end() -> None:
            while len(served) <= 10 or len(turns) < 3:
                turns.append(len(served))
                gevent.sleep(0.001)
            reactor.stop()

        greenlet = gevent.spawn(stops_in_the_end)
        reactor.run()
        greenlet.join()
    assert len(served) > 10
    assert len(turns) >= 3


def test_what_a_handler_raises_ends_the_run(reactor: Reactor) -> None:
    """Errors are not swallowed by the event loop."""

    def fail() -> None:
        raise RuntimeError("raised by a handler")

    reactor.at(monotonic_ns(), fail)
    with pytest.raises(RuntimeError, match="raised by a handler"):
        reactor.run()


def test_a_run_can_be_killed_and_waits_without_spinning(reactor: Reactor) -> None:
    """As Locust ends its users; and while nothing is due, it takes no CPU to speak of."""
    import gevent

    calls: list[int] = []
    handler = reactor._handlers[reactor._timer.fd]

    def counted(mask: int) -> None:
        calls.append(mask)
        handler(mask)

    reactor._handlers[reactor._timer.fd] = counted
    reactor.every(5 * MS, lambda: None, over=lambda: False)
    greenlet = gevent.spawn(reactor.run)
    gevent.sleep(0.1)
    greenlet.kill()
    assert greenlet.dead
    assert len(calls) <= 25
