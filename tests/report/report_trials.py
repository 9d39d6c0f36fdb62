"""The trials of pairs that never were: plausible figures, drawn with a fixed seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.record import GeneratorCheck, Latency, SliceRow, Trial
from harness.spec.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.suite import Arm, Phase, Plan
    from tests.report.report_pairs import Fake, FakePair


def trials_of(the_plan: Plan, pairs: list[FakePair], seed: int) -> Iterator[Trial]:
    """Every trial of the plan, in the order in which it would have been measured."""
    rng = np.random.default_rng(seed)
    start_s = 0.0
    for group in the_plan.groups:
        arms = {arm.id: arm for arm in group.arms}
        for block in range(the_plan.blocks):
            drift = float(np.exp(rng.normal(0, 0.04)))
            for phase, pair in product(group.phases, group.pairs):
                fake = pairs[int(pair.id[1:]) - 1]
                rate = fake.rate_rps or 0.7 * min(fake.a.rps, fake.b.rps)
                for arm, side in ((pair.a, fake.a), (pair.b, fake.b)):
                    when = _Moment(
                        pair=pair.id,
                        group=group.id,
                        block=block,
                        phase=phase,
                        rate_rps=rate,
                        drift=drift,
                        start_s=start_s,
                    )
                    yield _trial(rng, arms[arm], side, when)
                    start_s += 0.6 if phase == "closed" else 2.2
            start_s += 4


def _latencies(rng: np.random.Generator, mean_us: float, count: int) -> np.ndarray[Any, Any]:
    """Response times with a floor, a bulk and a tail."""
    bulk = mean_us * (0.55 + rng.gamma(3.0, 0.15, count))
    tail = rng.random(count) < 0.01
    bulk[tail] *= 1 + rng.pareto(2.5, int(tail.sum()))
    return np.maximum(bulk, 30)


def _latency(values: np.ndarray[Any, Any]) -> Latency:
    def at(percent: float) -> float | None:
        needed = 10 / (1 - percent / 100)
        return float(np.percentile(values, percent)) if len(values) >= needed else None

    tops = {"max": float(values.max()), "mean": float(values.mean())}
    return Latency(p50=at(50), p90=at(90), p95=at(95), p99=at(99), p99_9=at(99.9), **tops)


def _histogram(values: np.ndarray[Any, Any]) -> str:
    histogram = Histogram()
    histogram.record(values)
    return histogram.encode()


def _slices(rng: np.random.Generator, trial: Trial, rps: float, start_s: float, rounds: int) -> tuple[SliceRow, ...]:
    length = 0.5 if trial.phase == "closed" else 2.0
    rows = []
    for index in range(rounds):
        rate = rps * float(np.exp(rng.normal(0, 0.015)))
        cpu = (trial.cpu_s_per_request or 0.0) * rate * length
        mean_us = trial.latency_us.mean if trial.latency_us and trial.latency_us.mean else 0.0
        # Little's law, which a record must obey
        in_flight = float(trial.load.connections) if trial.phase == "closed" else rate * mean_us / 1e6
        rows.append(
            SliceRow(
                round=index,
                start_s=start_s + index * length * 2.5,
                length_s=length,
                requests=int(rate * length),
                errors=0,
                throughput_rps=rate,
                half_rps=(rate * 1.002, rate * 0.998),
                in_flight=in_flight,
                mean_latency_us=in_flight / rate * 1e6,
                cpu_s=cpu,
                steal_fraction=0.001,
            )
        )
    return tuple(rows)


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """When and under what a trial was measured."""

    pair: str
    group: str
    block: int
    phase: Phase
    rate_rps: float
    drift: float
    """Speed of the machine in this block."""
    start_s: float


def _trial(rng: np.random.Generator, arm: Arm, side: Fake, when: _Moment) -> Trial:
    """One trial as it would have been recorded."""
    capacity = side.rps * when.drift * float(np.exp(rng.normal(0, side.noise)))
    base = _unmeasured(arm, when)
    if side.error:
        return replace(base, error=side.error)
    closed = when.phase == "closed"
    rps = capacity if closed else when.rate_rps
    mean_us = 1e6 * arm.connections / capacity if closed else side.response_ms * 1e3
    values = _latencies(rng, mean_us, max(int(rps * (1.5 if closed else 2.0)), 20))
    figures = replace(
        base,
        valid=not side.reasons,
        reasons=side.reasons,
        limit=side.limit if closed else None,
        ceiling_rps=side.rps * 1.08,
        requests=len(values),
        offered_rps=None if closed else rps,
        latency_us=_latency(values),
        service_us=_latency(values * 0.97),
        lateness_us=None if closed else _latency(rng.gamma(2, 20, 2000)),
        cpu_s_per_request=side.cpu_us * 1e-6 * float(np.exp(rng.normal(0, 0.01))),
        generator_cpu_s_per_request=11e-6,
        services_cpu_s={"upstream": len(values) * 38e-6} if arm.scenario.upstream_calls else {},
        memory_bytes=int(side.memory_mib * 2**20),
        processes=arm.cell.workers + 1,
        threads=arm.cell.workers * 9,
        worker_shares={str(4000 + i): share for i, share in enumerate(side.shares)},
        connections_per_request=0.002,
        cache_hit_ratio=0.999 if arm.cell.level("cache") != "none" else None,
        steal_fraction=0.001,
        answer_bytes=212,
        generator=GeneratorCheck(cpu_percent=41.0, waiting_fraction=0.004, gc_pause_s=0.0, valid=True),
        histogram=_histogram(values),
    )
    slices = _slices(rng, figures, rps, when.start_s, 3 if closed else 1)
    return replace(figures, slices=slices, throughput_rps=sum(row.throughput_rps for row in slices) / len(slices))


def _unmeasured(arm: Arm, when: _Moment) -> Trial:
    return Trial(
        trial=f"{arm.id}/{when.block}/{when.phase}",
        arm=arm.id,
        pair=when.pair,
        group=when.group,
        block=when.block,
        phase=when.phase,
        cell=arm.cell,
        load=arm.load(when.phase).offering(when.rate_rps),
        started=f"2026-11-24T07:{when.block:02d}:00Z",
    )
