"""Closed load on servers whose truth is known: nothing lost at the edges, nothing sent that is not counted."""

from __future__ import annotations

from typing import Any

import pytest

from harness.spec import DrivenArm, Request, Slice, Spec
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed
from loadtests.engine.closed import starved
from tests.loadtests.engine_support import NullServer, null_server, run_rounds

pytestmark = pytest.mark.live


def arm(server: NullServer, name: str = "a", *, connections: int = 8, **more: Any) -> DrivenArm:
    """An arm on that server."""
    return DrivenArm(
        name=name, port=server.port, load=Closed(connections=connections), request=Request(length=5), **more
    )


def percentile(slice_: Slice, q: float) -> float:
    """A percentile of its response times, in milliseconds."""
    assert slice_.latency is not None
    return Histogram.decode(slice_.latency).percentile(q) / 1000


def test_requests_sent_are_requests_that_the_server_saw() -> None:
    """Over warm-ups, two arms, rounds and drains, to the last one; and the slices come in the order of the rounds."""
    with null_server("null") as keeping, null_server("closing") as closing:
        arms = (arm(keeping, "keeping", warmup_requests=50), arm(closing, "closing", connections=3))
        run = run_rounds(Spec(arms=arms, rounds=((0, 1), (1, 0)), slice_s=0.1, warmup_s=0.1))
        assert [(s.arm, s.round) for s in run.slices] == [
            ("keeping", 0),
            ("closing", 0),
            ("closing", 1),
            ("keeping", 1),
        ]
        for server, totals in zip((keeping, closing), run.totals, strict=True):
            assert totals.attempts == totals.good == server.seen()["requests"]
            assert totals.errors == totals.reconnects == 0
        kept, closed = run.totals
        assert kept.connects == 3 * 8
        assert closed.connects == closed.attempts
        assert all(s.connects == 0 and len(s.ports) == 8 for s in run.slices if s.arm == "keeping")
        assert all(s.connects == s.requests and not s.ports for s in run.slices if s.arm == "closing")


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
        counted = server.seen()
    truth = 40 / (counted["seconds"] / counted["requests"])
    for slice_ in run.slices:
        assert slice_.throughput_rps == pytest.approx(truth, rel=0.05)
        assert slice_.in_flight == pytest.approx(40, rel=0.02)
        assert slice_.mean_latency_us is not None
        assert slice_.throughput_rps * slice_.mean_latency_us / 1e6 == pytest.approx(40, rel=0.05)
        assert slice_.half_rps[0] == pytest.approx(slice_.half_rps[1], rel=0.1)
        assert slice_.starved == 0


def test_both_peaks_of_a_two_peaked_server_are_seen() -> None:
    """Every 50th answer takes 100 ms instead of 5: the median is short, p99.5 is long."""
    with null_server("peaks:5,100,50") as server:
        run = run_rounds(Spec(arms=(arm(server, connections=20),), rounds=((0,),), slice_s=0.8))
    (slice_,) = run.slices
    assert percentile(slice_, 50) < 50
    assert percentile(slice_, 99.5) >= 100


def test_a_server_that_hangs_up_gives_as_many_errors_as_it_saw_attempts() -> None:
    """Not one attempt more: nothing is sent again."""
    with null_server("hangup") as server:
        run = run_rounds(Spec(arms=(arm(server),), rounds=((0,),), slice_s=0.2, warmup_s=0.1))
        (totals,) = run.totals
        assert totals.attempts == totals.errors == totals.error_kinds["reset"] == server.seen()["requests"]
    (slice_,) = run.slices
    assert slice_.requests == slice_.errors > 0
    assert (slice_.good, slice_.throughput_rps, slice_.mean_latency_us) == (0, 0, None)


def test_one_error_in_ten_is_counted_exactly_and_in_no_percentile() -> None:
    """Over one connection the order is the server's: every tenth, and nothing else."""
    with null_server("errors:10") as server:
        run = run_rounds(Spec(arms=(arm(server),), rounds=((0,),), slice_s=0.2, warmup_s=0.1))
        (totals,) = run.totals
        assert totals.attempts == server.seen()["requests"]
        assert totals.errors == totals.error_kinds["status"] == totals.attempts // 10
        assert totals.connects == 2 * 8
    (slice_,) = run.slices
    assert slice_.latency is not None
    assert Histogram.decode(slice_.latency).count == slice_.requests - slice_.errors
    assert slice_.errors / slice_.requests == pytest.approx(0.1, rel=0.2)


def test_refused_connections_are_counted_and_tried_again_after_a_pause() -> None:
    """Refused connections are errors of their own kind, tried again no more than a hundred times a second."""
    with null_server("null") as server:
        pass
    run = run_rounds(Spec(arms=(arm(server),), rounds=((0,),), slice_s=0.3, warmup_s=0.1))
    (slice_,) = run.slices
    assert slice_.errors == slice_.requests == slice_.error_kinds["connect"] > 0
    assert slice_.requests <= 8 * 100 * slice_.length_s + 8


def test_a_request_that_is_never_answered_ends_in_time() -> None:
    """The deadline ends the slice, not the run; each hanging request is one error."""
    with null_server("fixed:60000") as server:
        spec = Spec(
            arms=(arm(server, response_s=0.01),),
            rounds=((0,),),
            slice_s=0.2,
            warmup_s=0.0,
            read_timeout_s=0.1,
        )
        (totals,) = run_rounds(spec).totals
    assert totals.errors == totals.error_kinds["timeout"] == totals.attempts > 8


def test_slices_are_as_long_as_five_responses() -> None:
    """The warm-up says how long a response takes, unless the spec does; the start is not counted."""
    with null_server("fixed:50") as server:
        arms = (arm(server, "warmed"), arm(server, "stated", response_s=0.12), arm(server, "short", response_s=0.001))
        run = run_rounds(Spec(arms=arms, rounds=((0, 1, 2),), slice_s=0.2, warmup_s=0.2))
    warmed, stated, short = run.slices
    assert 0.25 <= warmed.length_s < 0.5
    assert (stated.length_s, short.length_s) == (0.6, 0.2)
    assert [totals.response_s for totals in run.totals][1:] == [0.12, 0.001]
    started = {event.arm: event.at_ns for event in run.events if event.event == "started" and event.round == 0}
    assert warmed.start_ns - started["warmed"] >= 100_000_000
    assert stated.start_ns - started["stated"] >= 240_000_000
    assert short.start_ns - started["short"] >= 58_000_000
