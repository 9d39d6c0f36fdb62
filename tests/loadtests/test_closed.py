"""Closed load on servers whose truth is known: nothing lost at the edges, nothing sent that is not counted."""

from __future__ import annotations

import pytest

from harness.spec import Arm, Request, Slice, Spec
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed
from loadtests.engine.closed import starved
from tests.loadtests.engine_support import NullServer, null_server, run_rounds

pytestmark = pytest.mark.live


def arm(server: NullServer, name: str = "a", *, connections: int = 8, **more: object) -> Arm:
    """An arm on that server."""
    return Arm(name=name, port=server.port, load=Closed(connections=connections), request=Request(length=5), **more)  # type: ignore[arg-type]


def percentile(one: Slice, q: float) -> float:
    """Of its response times, in milliseconds."""
    assert one.latency is not None
    return Histogram.decode(one.latency).percentile(q) / 1000


def test_requests_sent_are_requests_that_the_server_saw() -> None:
    """Over warm-ups, two arms, rounds and drains, to the last one; and the slices come in the order of the rounds."""
    with null_server("null") as one, null_server("closing") as other:
        arms = (arm(one, "one", warmup_requests=50), arm(other, "other", connections=3))
        run = run_rounds(Spec(arms=arms, rounds=((0, 1), (1, 0)), slice_s=0.1, warmup_s=0.1))
        assert [(s.arm, s.round) for s in run.slices] == [("one", 0), ("other", 0), ("other", 1), ("one", 1)]
        for server, totals in zip((one, other), run.totals, strict=True):
            assert totals.attempts == totals.good == server.seen()["requests"]
            assert totals.errors == totals.reconnects == 0
        kept, closed = run.totals
        assert kept.connects == 3 * 8
        assert closed.connects == closed.attempts
        assert all(s.connects == 0 and len(s.ports) == 8 for s in run.slices if s.arm == "one")
        assert all(s.connects == s.requests and not s.ports for s in run.slices if s.arm == "other")


@pytest.mark.parametrize(
    ("answers", "starving"),
    [
        ([100] * 8, 0),
        ([140] * 5 + [25] * 3, 0),
        ([400, 395, 3, 2], 2),
        ([14_088] + [0] * 63, 63),
        ([40, 38, 1, 1], 2),
        ([30, 20, 1, 0], 0),
        ([0] * 4, 0),
    ],
)
def test_a_connection_starves_with_less_than_a_tenth_of_its_share(answers: list[int], starving: int) -> None:
    """Where a fair share is at least twenty answers; uneven is not starving."""
    assert starved(answers) == starving


def test_the_window_loses_nothing_at_its_edges() -> None:
    """40 connections on a 50 ms server: in flight are 40, and throughput is 40 over the server's own mean time."""
    with null_server("fixed:50") as server:
        run = run_rounds(Spec(arms=(arm(server, connections=40),), rounds=((0,),) * 3, warmup_s=0.2))
        seen = server.seen()
    truth = 40 / (seen["seconds"] / seen["requests"])
    for one in run.slices:
        assert one.throughput_rps == pytest.approx(truth, rel=0.05)
        assert one.in_flight == pytest.approx(40, rel=0.02)
        assert one.mean_latency_us is not None
        assert one.throughput_rps * one.mean_latency_us / 1e6 == pytest.approx(40, rel=0.05)
        assert one.half_rps[0] == pytest.approx(one.half_rps[1], rel=0.1)
        assert one.starved == 0


def test_both_peaks_of_a_two_peaked_server_are_seen() -> None:
    """Every 50th answer takes 100 ms instead of 5: the median is of the one, p99 of the other."""
    with null_server("peaks:5,100,50") as server:
        run = run_rounds(Spec(arms=(arm(server, connections=20),), rounds=((0,),), slice_s=0.8))
    (one,) = run.slices
    assert percentile(one, 50) < 50
    assert percentile(one, 99.5) >= 100


def test_a_server_that_hangs_up_gives_as_many_errors_as_it_saw_attempts() -> None:
    """Not one attempt more: nothing is sent again."""
    with null_server("hangup") as server:
        run = run_rounds(Spec(arms=(arm(server),), rounds=((0,),), slice_s=0.2, warmup_s=0.1))
        (totals,) = run.totals
        assert totals.attempts == totals.errors == totals.error_kinds["reset"] == server.seen()["requests"]
    (one,) = run.slices
    assert one.requests == one.errors > 0
    assert (one.good, one.throughput_rps, one.mean_latency_us) == (0, 0, None)


def test_one_error_in_ten_is_counted_exactly_and_in_no_percentile() -> None:
    """Over one connection the order is the server's: every tenth, and nothing else."""
    with null_server("errors:10") as server:
        run = run_rounds(Spec(arms=(arm(server),), rounds=((0,),), slice_s=0.2, warmup_s=0.1))
        (totals,) = run.totals
        assert totals.attempts == server.seen()["requests"]
        assert totals.errors == totals.error_kinds["status"] == totals.attempts // 10
        assert totals.connects == 2 * 8
    (one,) = run.slices
    assert one.latency is not None
    assert Histogram.decode(one.latency).count == one.requests - one.errors
    assert one.errors / one.requests == pytest.approx(0.1, rel=0.2)


def test_nobody_listening_is_counted_and_does_not_spin() -> None:
    """Refused connections are errors of their own kind, tried again no more than a hundred times a second."""
    with null_server("null") as server:
        pass
    run = run_rounds(Spec(arms=(arm(server),), rounds=((0,),), slice_s=0.3, warmup_s=0.1))
    (one,) = run.slices
    assert one.errors == one.requests == one.error_kinds["connect"] > 0
    assert one.requests <= 8 * 100 * one.length_s + 8


def test_a_request_that_is_never_answered_ends_in_time() -> None:
    """The deadline ends the slice, not the run; each hanging request is one error."""
    with null_server("fixed:60000") as server:
        told = Spec(
            arms=(arm(server, response_s=0.01),),
            rounds=((0,),),
            slice_s=0.2,
            warmup_s=0.0,
            read_timeout_s=0.1,
        )
        (totals,) = run_rounds(told).totals
    assert totals.errors == totals.error_kinds["timeout"] == totals.attempts > 8


def test_slices_are_as_long_as_five_responses() -> None:
    """The warm-up says how long a response takes, unless the spec does; the start is not counted."""
    with null_server("fixed:50") as server:
        arms = (arm(server, "asked"), arm(server, "told", response_s=0.12), arm(server, "short", response_s=0.001))
        run = run_rounds(Spec(arms=arms, rounds=((0, 1, 2),), slice_s=0.2, warmup_s=0.2))
    asked, told, short = run.slices
    assert 0.25 <= asked.length_s < 0.5
    assert (told.length_s, short.length_s) == (0.6, 0.2)
    assert [one.response_s for one in run.totals][1:] == [0.12, 0.001]
    started = {event.arm: event.at_ns for event in run.events if event.event == "started" and event.round == 0}
    assert asked.start_ns - started["asked"] >= 100_000_000
    assert told.start_ns - started["told"] >= 240_000_000
    assert short.start_ns - started["short"] >= 58_000_000
