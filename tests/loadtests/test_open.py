"""Open load on servers whose truth is known: what is due is sent, or said not to have been."""

from __future__ import annotations

from typing import Any

import pytest

from harness.spec import DrivenArm, Request, Slice, Spec
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed, Open
from tests.loadtests.engine_support import NullServer, null_server, run_rounds

pytestmark = pytest.mark.live


def arm(server: NullServer, name: str = "a", *, seed: int = 1, connections: int = 16, **load: Any) -> DrivenArm:
    """An arm on that server, under that open load."""
    return DrivenArm(
        name=name,
        port=server.port,
        load=Open(connections=connections, **load),
        request=Request(length=5),
        response_s=0.005,
        arrivals_seed=seed,
    )


def spec_of(*arms: DrivenArm, **more: Any) -> Spec:
    """A phase with one open slice of each arm."""
    given: dict[str, Any] = {"slice_s": 0.5, "warmup_s": 0.0, "rounds": (tuple(range(len(arms))),)} | more
    return Spec(arms=arms, **given)


def histograms(slice_: Slice) -> tuple[Histogram, Histogram, Histogram]:
    """Response, service, lateness."""
    assert slice_.latency is not None
    assert slice_.service is not None
    assert slice_.lateness is not None
    return Histogram.decode(slice_.latency), Histogram.decode(slice_.service), Histogram.decode(slice_.lateness)


def test_every_arrival_is_sent_and_the_server_saw_them_all() -> None:
    """Scheduled, requested and done are one number; what is sent beyond the window is in the totals."""
    with null_server("null") as server:
        run = run_rounds(spec_of(arm(server, rate_rps=400), rounds=((0,), (0,))))
        (totals,) = run.totals
        assert totals.attempts == totals.good == server.seen()["requests"]
    for slice_ in run.slices:
        assert slice_.scheduled == slice_.requests == slice_.done == [h.count for h in histograms(slice_)][2]
        assert slice_.scheduled == pytest.approx(200, abs=70)
        assert slice_.offered_rps == pytest.approx(slice_.scheduled / slice_.length_s)
        assert (slice_.dropped, slice_.errors, slice_.connects, len(slice_.ports)) == (0, 0, 0, 16)
    assert run.slices[0].scheduled != run.slices[1].scheduled or run.slices[0].latency != run.slices[1].latency


def test_both_arms_of_a_pair_replay_the_same_arrivals() -> None:
    """Same seed, same count in the window, though their start-ups last differently; another seed, another count."""
    with null_server("null") as server:
        arms = (
            arm(server, "a", rate_rps=1000),
            arm(server, "b", rate_rps=1000, connections=64),
            arm(server, "c", rate_rps=1000, seed=2),
        )
        a, b, c = run_rounds(spec_of(*arms)).slices
    assert a.scheduled == b.scheduled != c.scheduled


def test_an_exhausted_pool_queues_and_the_wait_is_latency() -> None:
    """Two connections on a 20 ms server take 100 a second; of 200 every one is still sent, and waits for it."""
    with null_server("fixed:20") as server:
        (slice_,) = run_rounds(spec_of(arm(server, rate_rps=200, connections=2, arrivals="constant"))).slices
    response, service, lateness = histograms(slice_)
    assert slice_.scheduled == slice_.done == 100
    assert slice_.dropped == 0
    assert service.percentile(50) < response.percentile(50) / 4
    assert lateness.percentile(50) < service.percentile(50)


def test_an_exhausted_pool_drops_arrivals_where_the_load_says_drop() -> None:
    """The same with `drop`: about half is never sent, and counted."""
    with null_server("fixed:20") as server:
        run = run_rounds(spec_of(arm(server, rate_rps=200, connections=2, arrivals="constant", when_full="drop")))
        (slice_,), (totals,) = run.slices, run.totals
        assert totals.attempts == server.seen()["requests"]
    assert slice_.scheduled == 100
    assert slice_.requests + slice_.dropped == 100
    assert 30 < slice_.dropped < 70
    response, service, _ = histograms(slice_)
    assert response.percentile(50) == pytest.approx(service.percentile(50), rel=0.2)


def test_a_full_queue_drops_arrivals() -> None:
    """It has room for five arrivals: the sixth is counted as dropped."""
    with null_server("fixed:20") as server:
        (slice_,) = run_rounds(spec_of(arm(server, rate_rps=400, connections=2), queue=5)).slices
    assert slice_.scheduled is not None
    assert slice_.dropped > 0
    assert slice_.requests + slice_.dropped == slice_.scheduled


def test_a_slice_ends_early_once_an_objective_is_lost() -> None:
    """Every answer is later than 10 ms and five may be: the window ends within half of its time, and all adds up."""
    with null_server("fixed:20") as server:
        run = run_rounds(
            spec_of(
                arm(server, rate_rps=200, arrivals="constant"), slice_s=2.0, stops=((10_000, 5),), rounds=((0,), (0,))
            )
        )
        (totals,) = run.totals
        assert totals.attempts == server.seen()["requests"]
    for slice_ in run.slices:
        assert 0.1 <= slice_.length_s < 1.0
        assert slice_.scheduled == slice_.requests == slice_.done == histograms(slice_)[0].count
        assert slice_.scheduled == pytest.approx(200 * slice_.length_s, abs=2)
        assert slice_.scheduled > 5
        assert slice_.half_rps[0] == pytest.approx(slice_.half_rps[1], rel=0.5)


def test_more_errors_than_are_allowed_end_a_slice_and_fewer_do_not() -> None:
    """One answer in ten is an error: ten errors are soon there, a thousand never."""
    with null_server("errors:10") as server:
        few, many = (
            run_rounds(spec_of(arm(server, rate_rps=400), slice_s=1.0, stops=((None, allowed),))).slices[0]
            for allowed in (10, 1000)
        )
    assert few.length_s < 0.9
    assert few.errors > 10
    assert many.length_s == pytest.approx(1.0)


def test_a_stall_shows_in_the_response_times_of_arrivals_during_it() -> None:
    """Half a second of three without an answer: open load shows it from p90 on, service and closed load hide it."""
    with null_server("stall:1000,500") as server:
        run = run_rounds(spec_of(arm(server, rate_rps=200, connections=4), slice_s=3.0))
        (slice_,), _ = run.slices, run.totals
        response, service, lateness = histograms(slice_)
    assert slice_.done == slice_.scheduled
    assert response.percentile(95) > 200_000
    assert service.percentile(95) < 100_000
    assert lateness.percentile(95) < response.percentile(95) / 4
    with null_server("stall:1000,500") as server:
        closed = DrivenArm(
            name="a", port=server.port, load=Closed(connections=4), request=Request(length=5), response_s=0.005
        )
        spec = Spec(arms=(closed,), rounds=((0,),), slice_s=2.0, warmup_s=0.0)
        (hidden,) = run_rounds(spec).slices
    assert hidden.latency is not None
    assert Histogram.decode(hidden.latency).percentile(99) < 100_000


def test_a_server_that_closes_each_connection_gets_a_new_one_for_each_arrival() -> None:
    """Connected when there is something to send, and no sooner; its connections are counted."""
    with null_server("closing") as server:
        run = run_rounds(spec_of(arm(server, rate_rps=300)))
        (slice_,), (totals,) = run.slices, run.totals
        assert totals.attempts == totals.connects == server.seen()["requests"]
    assert slice_.done == slice_.scheduled == slice_.connects
    assert (slice_.reconnects, slice_.ports) == (0, ())


def test_errors_of_an_open_load_are_counted_exactly() -> None:
    """Every tenth answer is an error; a server that hangs up is never asked twice."""
    with null_server("errors:10") as server:
        run = run_rounds(spec_of(arm(server, rate_rps=300)))
        assert run.totals[0].errors == server.seen()["requests"] // 10
    (slice_,) = run.slices
    assert slice_.done is not None
    assert slice_.done + slice_.errors == slice_.scheduled == slice_.requests
    with null_server("hangup") as server:
        run = run_rounds(spec_of(arm(server, rate_rps=300)))
        assert run.totals[0].attempts == run.totals[0].errors == server.seen()["requests"]
