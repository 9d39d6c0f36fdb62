"""What the link between load and servers has to do with a limit, and with what was asked of response times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge.compare import within
from harness.judge.limits import diagnoses, limit
from harness.judge.slo import out_of_reach
from harness.record import Trial
from harness.suite import Arm, Held, Upstream
from harness.units import THIN
from tests import factories
from tests.factories import PLACEMENT

PLAN = factories.plan()


def driven(arm: Arm, rps: float, round_trip_us: float | None, connects: float = 0.0, p50_us: float = 8000.0) -> Trial:
    """A closed trial of an arm that uses a fifth of its CPU."""
    rows = (factories.slice_row(throughput_rps=rps, in_flight=float(arm.connections), cpu_s=0.1),)
    trial = factories.trial(arm, slices=rows, latency_us=factories.latency(p50_us, p90=p50_us))
    return replace(trial, round_trip_us=round_trip_us, connections_per_request=connects)


@pytest.mark.parametrize(
    ("round_trip_us", "connects", "bound", "ceiling_rps"),
    [
        (None, 0.0, None, 4000 / 0.2),
        (200.0, 0.0, None, 4000 / 0.2),
        (7500.0, 0.0, "connections", 32 / 0.0075),
        (3750.0, 1.0, "connections", 32 / 0.0075),  # each connects first
    ],
)
def test_a_link_keeps_connections_busy(
    round_trip_us: float | None, connects: float, bound: str | None, ceiling_rps: float
) -> None:
    """A request holds its connection for the round trip too."""
    arm = factories.arm(connections=32)
    trial = driven(arm, 4000.0, round_trip_us, connects)
    named, highest_rps = limit(trial, arm, PLAN, PLACEMENT)
    assert named == bound
    assert highest_rps == pytest.approx(ceiling_rps)


def test_too_few_connections_for_a_link_are_said_with_its_round_trip() -> None:
    """It is the evidence."""
    arm = factories.arm(connections=32)
    (caveat,) = diagnoses(driven(arm, 4000.0, 7500.0), arm, (), PLAN, PLACEMENT)
    assert caveat.kind == "few-connections"
    told = caveat.text.replace(THIN, " ")
    assert "and each request spent 7.50 ms on the link, whose round trip is 7.50 ms: this is the load's limit" in told
    waiting, upstream = factories.arm(connections=4, scenario=factories.EXTERNAL), Upstream(delay_ms=50.0)
    slow = diagnoses(driven(waiting, 75.0, None), waiting, (), replace(PLAN, upstream=upstream), PLACEMENT)
    assert [(each.kind, "link" in each.text) for each in slow] == [("few-connections", False)]


def test_a_link_of_forty_milliseconds_is_no_delayed_acknowledgement() -> None:
    """What is left of the response time is."""
    arm = factories.arm(connections=64)
    kinds = {
        us: [each.kind for each in diagnoses(driven(arm, 700.0, us, p50_us=44_000.0), arm, (), PLAN, PLACEMENT)]
        for us in (None, 500.0, 40_000.0)
    }
    assert kinds == {None: ["delayed-ack"], 500.0: ["delayed-ack"], 40_000.0: []}


@pytest.mark.parametrize(
    ("limit_us", "round_trip_us", "beyond"),
    [(1000, 200.0, False), (1000, 334.0, True), (1000, 2000.0, True), (600, 200.0, False)],
)
def test_a_time_below_a_few_round_trips_is_out_of_reach(limit_us: int, round_trip_us: float, *, beyond: bool) -> None:
    """Three: the connection, the request, and a piece that is late."""
    assert out_of_reach(limit_us, round_trip_us) is beyond


def test_a_deadline_that_no_server_can_keep_over_its_link_is_said() -> None:
    """Of the arm that is so far away."""
    near, far = factories.flask_arm("p1a"), factories.arm("p1b")
    group = factories.group(near, far, disturbance=Held(request="r", count=(1,), deadline_ms=2.0), neighbour=None)
    plan = factories.plan(group)
    trials = (driven(near, 700.0, 300.0), driven(far, 700.0, 900.0))
    (caveat,) = [each for each in within(factories.run(plan, trials)).caveats if each.kind == "link"]
    assert (caveat.arm, caveat.pair) == ("p1b", "p1")
    assert caveat.text.replace(THIN, " ") == (
        "a deadline of 2.00 ms is out of reach: the link's round trip alone is 900 µs, and an answer may take 3 of "
        "them, whatever serves"
    )
    assert caveat.remedy.replace(THIN, " ").endswith("allow 2.70 ms at least")
    undisturbed = factories.run(factories.plan(factories.group(near, far)), trials)
    assert not [each for each in within(undisturbed).caveats if each.kind == "link"]
