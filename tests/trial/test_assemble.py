"""Put together from what Locust measured and what the harness saw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from harness import spec
from harness.judge.validity import judge
from harness.machine.usage import Memory
from harness.record import Trial
from harness.spec.histogram import Histogram
from harness.suite import Closed, Expect, Thresholds, Weighted
from harness.trial.assemble import Hits, Observed, Parts, assemble, latency, worker_shares
from harness.trial.observe import Observation
from tests import factories


def recorded(values_us: Iterable[int]) -> Histogram:
    """A histogram of those values."""
    histogram = Histogram()
    histogram.record(list(values_us))
    return histogram


QUIET = spec.SliceCheck(cpu_percent=20.0, waiting_fraction=0.01)


def piece(**changes: object) -> spec.Slice:
    """A closed slice of half a second: 500 good answers in flight ten at a time."""
    given = spec.Slice(
        arm="p1a",
        round=0,
        start_ns=2_000_000_000,
        length_s=0.5,
        requests=500,
        good=500.0,
        errors=0,
        throughput_rps=1000.0,
        half_rps=(990.0, 1010.0),
        in_flight=10.0,
        mean_latency_us=10_000.0,
        connects=0,
        latency=recorded([10_000] * 500).encode(),
        ports=((40001, 250), (40002, 250)),
        generator=QUIET,
    )
    return replace(given, **changes)  # type: ignore[arg-type]


SEEN = Observation(
    cpu_s={10: 0.001, 11: 0.2, 12: 0.2},
    services_cpu_s={"upstream": 0.05},
    generator_cpu_s=0.1,
    context_switches=1000,
    threads=9,
    processes=3,
    owners={40001: 11, 40002: 12},
    memory=Memory(1000, shared=400),
)


WEIGHTS = {"read": 3, "write": 2}


def put_together(*observed: Observed, hits: Hits | None = None, **changes: Any) -> Trial:
    """The row of those slices."""
    arm = factories.arm("p1a", **{"scenario": factories.EXTERNAL} | changes)
    parts = Parts(
        arm=arm,
        group="g1",
        block=0,
        load=Closed(connections=10),
        started="2026-11-24T09:00:00+00:00",
        slices=observed,
        cached=arm.cell.level("cache") != "none",
        hits=hits,
        answer_bytes=27,
    )
    return assemble(parts, run_started_ns=1_000_000_000)


def test_slices_of_unequal_length_are_weighed_by_it() -> None:
    """Throughput is good answers over time, CPU a request is CPU over good answers."""
    short, long = piece(), piece(round=1, length_s=1.5, good=500.0, requests=500)
    trial = put_together(Observed(measured=short, observation=SEEN), Observed(measured=long, observation=SEEN))
    assert trial.throughput_rps == pytest.approx(1000 / 2.0)
    assert trial.cpu_s_per_request == pytest.approx(2 * 0.401 / 1000)
    assert trial.requests == 1000
    assert trial.services_cpu_s == {"upstream": pytest.approx(0.1)}
    assert [row.start_s for row in trial.slices] == [1.0, 1.0]


def test_the_requests_of_a_mix_add_up_over_the_slices() -> None:
    """Shares are of all requests, throughput is over the time of all slices, histograms are merged."""
    weighted = [
        Weighted(name=name, path=f"/{name}", weight=weight, expect=Expect()) for name, weight in WEIGHTS.items()
    ]
    mixed = factories.scenario(request=None, expect=None, mix=tuple(weighted))
    read, write = recorded([1000] * 290), recorded([30_000] * 200)
    parts = (
        spec.OfRequest(name="read", requests=300, good=290.0, errors=10, latency=read.encode()),
        spec.OfRequest(name="write", requests=200, good=200.0, errors=0, latency=write.encode()),
    )
    seen = [Observed(measured=piece(round=number, by_request=parts), observation=SEEN) for number in range(2)]
    trial = put_together(*seen, scenario=mixed)
    first, second = trial.by_request
    assert (first.name, first.weight, first.requests, first.errors, first.share) == ("read", 3, 600, 20, 0.6)
    assert (second.name, second.weight, second.requests, second.errors, second.share) == ("write", 2, 400, 0, 0.4)
    assert second.throughput_rps == pytest.approx(400 / sum(each.measured.length_s for each in seen))
    assert second.histogram == recorded([30_000] * 400).encode()
    assert first.latency_us is not None
    assert first.latency_us.p50 == 1000
    assert put_together(Observed(measured=piece(), observation=SEEN)).by_request == ()


def test_a_percentile_needs_ten_samples_beyond_it() -> None:
    """Of 500, p95 has 25 beyond it and p99 five."""
    found = latency(recorded(range(1, 501)))
    assert found is not None
    assert found.p95 == pytest.approx(475, rel=0.01)
    assert (found.p99, found.p99_9) == (None, None)
    assert latency(None) is None


def test_ten_thousand_samples_resolve_p99_9() -> None:
    """Ten lie beyond it, also where 1 - 0.999 is a little less than 0.001."""
    histogram = Histogram()
    histogram.record([2000] * 10_000)
    found = latency(histogram)
    assert found is not None
    assert found.p99_9 == 2000


def test_shares_go_by_who_holds_the_connection() -> None:
    """The master, which holds none, has no share."""
    uneven = piece(ports=((40001, 100), (40002, 300)))
    assert worker_shares([Observed(measured=uneven, observation=SEEN)]) == {"11": 0.25, "12": 0.75}


def test_shares_go_by_cpu_where_connections_do_not_last() -> None:
    """And a process that uses next to none is no worker."""
    seen = replace(SEEN, owners=None)
    assert worker_shares([Observed(measured=piece(ports=()), observation=seen)]).keys() == {"11", "12"}


def test_the_cache_hit_ratio_comes_from_the_upstreams_hits() -> None:
    """Only where there is a cache."""
    totals = spec.Totals(arm="p1a", attempts=1000, good=1000, errors=0, connects=10, reconnects=0, response_s=0.01)
    hits = Hits(calls=10, totals=totals)
    plain = put_together(Observed(measured=piece(), observation=SEEN), hits=hits)
    cached = put_together(Observed(measured=piece(), observation=SEEN), hits=hits, cache="redis")
    assert plain.cache_hit_ratio is None
    assert cached.cache_hit_ratio == pytest.approx(0.99)
    assert (cached.upstream_hits, cached.upstream_attempts) == (10, 1000)


def test_a_hit_spares_all_calls_of_an_answer() -> None:
    """Where an answer costs three calls, three hits at the upstream are one miss."""
    dear = factories.upstream_scenario(upstream_calls=3)
    totals = spec.Totals(arm="p1a", attempts=1000, good=1000, errors=0, connects=10, reconnects=0, response_s=0.01)
    parts = Parts(
        arm=factories.arm("p1a", scenario=dear, cache="redis"),
        group="g1",
        block=0,
        load=Closed(connections=10),
        started="2026-11-24T09:00:00+00:00",
        slices=[Observed(measured=piece(), observation=SEEN)],
        cached=True,
        hits=Hits(calls=300, totals=totals),
    )
    assert assemble(parts, run_started_ns=0).cache_hit_ratio == pytest.approx(0.9)


def test_slices_of_a_disturbed_round_stay_in_the_row_and_count_nowhere() -> None:
    """Raw samples are never lost; where all are disturbed the row has no figures, rather than being missing."""
    quiet, disturbed = piece(), piece(round=1, good=100.0, throughput_rps=200.0, requests=100)
    observed = [Observed(measured=quiet, observation=SEEN), Observed(measured=disturbed, observation=SEEN)]
    parts = Parts(
        arm=factories.arm("p1a"),
        group="g1",
        block=0,
        load=Closed(connections=10),
        started="2026-11-24T09:00:00+00:00",
        slices=observed,
        dropped_rounds=(1,),
    )
    trial = assemble(parts, run_started_ns=0)
    assert [row.round for row in trial.slices] == [0, 1]
    assert (trial.throughput_rps, trial.requests) == (1000.0, 500)
    nothing = assemble(replace(parts, dropped_rounds=(0, 1)), run_started_ns=0)
    assert len(nothing.slices) == 2
    assert (nothing.throughput_rps, nothing.latency_us, nothing.generator, nothing.memory_bytes) == (None,) * 4
    assert judge(nothing, Thresholds())[0].startswith("no slice is left to count")


def test_the_generator_is_judged_by_its_worst_slice() -> None:
    """One bad slice is enough."""
    bad = spec.SliceCheck(cpu_percent=97.0, waiting_fraction=0.2, valid=False, reasons=("saturated",))
    trial = put_together(
        Observed(measured=piece(), observation=SEEN), Observed(measured=piece(generator=bad), observation=SEEN)
    )
    assert trial.generator is not None
    assert (trial.generator.cpu_percent, trial.generator.valid, trial.generator.reasons) == (
        97.0,
        False,
        ("saturated",),
    )


def test_each_generators_share_is_in_the_row() -> None:
    """Its requests in all slices, and the worst of what it had; a single generator has no share."""
    assert put_together(Observed(measured=piece(), observation=SEEN)).generators == ()

    def share(number: int, requests: int, late_us: float | None, bound_us: float) -> spec.SliceShare:
        return spec.SliceShare(
            generator=number,
            connections=5,
            requests=requests,
            cpu_percent=requests / 10,
            waiting_fraction=requests / 10_000,
            lateness_p99_us=late_us,
            clock_offset_us=-bound_us,
            clock_bound_us=bound_us,
        )

    rounds = (
        (share(1, 300, 50.0, 90.0), share(2, 200, None, 10.0)),
        (share(1, 100, 70.0, 30.0), share(2, 400, None, 0)),
    )
    one, two = put_together(*(Observed(measured=piece(shares=each), observation=SEEN) for each in rounds)).generators
    assert (one.generator, one.connections, one.requests, one.cpu_percent) == (1, 5, 400, 30.0)
    assert (one.lateness_p99_us, one.clock_offset_us, one.clock_bound_us) == (70.0, -90.0, 90.0)
    assert (two.generator, two.requests, two.waiting_fraction, two.lateness_p99_us) == (2, 600, 0.04, None)


def test_of_a_process_that_is_not_known_there_are_no_figures() -> None:
    """None and not zero, and the row says what could not be checked; with a pid they are known."""
    live = replace(factories.target(name="live"), app="", url="http://127.0.0.1:8000")
    unseen = replace(SEEN, cpu_s={}, outside_fraction=None, memory=None, processes=0, threads=0, owners=None)
    trial = put_together(Observed(measured=piece(), observation=unseen), target=live)
    assert (trial.cpu_s_per_request, trial.memory_bytes, trial.processes, trial.threads) == (None, None, None, None)
    assert trial.context_switches_per_request is None
    assert (trial.slices[0].cpu_s, trial.slices[0].outside_fraction) == (None, None)
    assert "its CPU time and memory" in trial.unchecked
    assert judge(replace(trial, latency_us=None), Thresholds(), upstream_calls=0) == ()
    known = put_together(Observed(measured=piece(), observation=SEEN), target=replace(live, pid=7))
    assert known.cpu_s_per_request == pytest.approx(0.401 / 500)
    assert known.unchecked == ("versions", "what else its CPUs do")
    launched = put_together(Observed(measured=piece(), observation=SEEN))
    assert launched.unchecked == ()
