"""Put a trial together from what Locust measured and what the harness saw; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness import spec
from harness.judge.validity.unchecked import unchecked
from harness.record import GeneratorCheck, GeneratorShare, Latency, RequestRow, SliceRow, Trial
from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, all_resolved
from harness.suite import Arm, Load, Phase
from harness.trial.in_pod import of_limit, of_quota
from harness.trial.observe import Observation

NANO = 1e-9
IDLE_SHARE = 0.005
"""By CPU, a process below this is a master or a helper, no worker."""

K = TypeVar("K", int, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One slice: what the generator measured, and what the harness observed meanwhile."""

    measured: spec.Slice
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What the upstream was called for an arm over a whole phase, and what the arm was sent meanwhile."""

    calls: int
    totals: spec.Totals


def slice_row(observed: Observed, run_started_ns: int) -> SliceRow:
    """The record of one slice."""
    measured, observation = observed.measured, observed.observation
    return SliceRow(
        round=measured.round,
        start_s=max(0.0, (measured.start_ns - run_started_ns) * NANO),
        length_s=measured.length_s,
        requests=measured.requests,
        errors=measured.errors,
        throughput_rps=measured.throughput_rps,
        half_rps=measured.half_rps,
        in_flight=measured.in_flight,
        mean_latency_us=measured.mean_latency_us,
        cpu_s=sum(observation.cpu_s.values()) if observation.outside_fraction is not None else None,
        steal_fraction=observation.steal_fraction,
        outside_fraction=observation.outside_fraction,
        dropped=measured.dropped,
        scheduled=measured.scheduled,
        done=measured.done,
        stalls=measured.stalls,
        stalled_s=measured.stalled_s,
        starved=measured.starved,
        memory_bytes=observation.memory.pss if observation.memory else None,
        shared_bytes=observation.memory.shared if observation.memory else None,
        grown_bytes=observation.grown_bytes,
        **of_quota([observation]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that one row is put together from."""

    arm: Arm
    group: str
    block: int
    load: Load
    started: str
    slices: Sequence[Observed]
    """All slices of the arm in the phase."""
    dropped_rounds: tuple[int, ...] = ()
    """Rounds whose slices are left out of all figures, as something outside disturbed them."""
    cached: bool = False
    """Whether answers may come without a call of the upstream."""
    hits: Hits | None = None
    answer_bytes: int | None = None
    first_answer_s: float | None = None
    shared_before_bytes: int | None = None

    @property
    def kept(self) -> list[Observed]:
        """The slices that count."""
        return [observed for observed in self.slices if observed.measured.round not in self.dropped_rounds]

    @property
    def name(self) -> str:
        """Unique in the run."""
        return trial_name(self.arm, self.block, self.load.kind)


def trial_name(arm: Arm, block: int, phase: Phase) -> str:
    """ARM/BLOCK/PHASE."""
    return f"{arm.id}/{block}/{phase}"


def assemble(parts: Parts, run_started_ns: int) -> Trial:
    """One row of the records, not judged yet."""
    arm, load, kept, hits = parts.arm, parts.load, parts.kept, parts.hits
    slices = [observed.measured for observed in kept]
    observations = [observed.observation for observed in kept]
    length_s = sum(each.length_s for each in slices)
    good = sum(each.good for each in slices)
    requests = sum(each.requests for each in slices)
    histogram = _merged(each.latency for each in slices)
    seen, switches = arm.target.is_seen, sum(each.context_switches for each in observations)
    return Trial(
        trial=parts.name,
        arm=arm.id,
        pair=arm.pair,
        group=parts.group,
        block=parts.block,
        phase=load.kind,
        cell=arm.cell,
        load=load,
        started=parts.started,
        first_answer_s=parts.first_answer_s,
        requests=requests,
        errors=sum(each.errors for each in slices),
        error_kinds={kind: int(count) for kind, count in _sum(each.error_kinds for each in slices).items()},
        dropped=sum(each.dropped for each in slices),
        dropped_rounds=parts.dropped_rounds,
        reconnects=sum(each.reconnects for each in slices),
        throughput_rps=_ratio(good, length_s),
        offered_rps=_offered(slices, length_s),
        latency_us=latency(histogram),
        service_us=latency(_merged(each.service for each in slices)),
        lateness_us=latency(_merged(each.lateness for each in slices)),
        slices=tuple(slice_row(observed, run_started_ns) for observed in parts.slices),
        cpu_s_per_request=_ratio(sum(sum(each.cpu_s.values()) for each in observations), good) if seen else None,
        generator_cpu_s_per_request=_ratio(sum(each.generator_cpu_s for each in observations), good),
        services_cpu_s=_sum(each.services_cpu_s for each in observations),
        memory_bytes=max((each.memory.pss for each in observations if each.memory is not None), default=None),
        shared_bytes=max((each.memory.shared for each in observations if each.memory is not None), default=None),
        shared_before_bytes=parts.shared_before_bytes,
        **of_quota(observations),
        **of_limit(observations),
        processes=max((each.processes for each in observations), default=None) if seen else None,
        threads=max((each.threads for each in observations), default=None) if seen else None,
        context_switches_per_request=_ratio(switches, good) if seen else None,
        worker_shares=worker_shares(kept),
        unchecked=tuple(unchecked(arm.target)),
        connections_per_request=_ratio(sum(each.connects for each in slices), requests),
        upstream_hits=hits.calls if hits else None,
        upstream_attempts=hits.totals.attempts if hits else None,
        upstream_good=hits.totals.good if hits else None,
        upstream_reconnects=hits.totals.reconnects if hits else None,
        cache_hit_ratio=_hit_ratio(arm, hits) if parts.cached else None,
        steal_fraction=max((each.steal_fraction for each in observations), default=None),
        pressure=_pressure(observations, length_s),
        answer_bytes=parts.answer_bytes,
        generator=_generator(slices),
        generators=tuple(_shares(slices)),
        histogram=histogram.encode() if histogram else None,
        by_request=tuple(_by_request(arm, slices)),
    )


def _by_request(arm: Arm, slices: Sequence[spec.Slice]) -> Iterator[RequestRow]:
    """Each request of a mix over all slices."""
    every, length_s = sum(each.requests for each in slices), sum(each.length_s for each in slices)
    for number, asked in enumerate(arm.scenario.mix):
        parts = [each.by_request[number] for each in slices]
        requests, histogram = sum(part.requests for part in parts), _merged(part.latency for part in parts)
        yield RequestRow(
            name=asked.name,
            weight=asked.weight,
            requests=requests,
            errors=sum(part.errors for part in parts),
            share=_ratio(requests, every),
            throughput_rps=_ratio(sum(part.good for part in parts), length_s),
            latency_us=latency(histogram),
            histogram=histogram.encode() if histogram else None,
        )


def worker_shares(kept: Iterable[Observed]) -> dict[str, float]:
    """Share of the answers by worker process.

    Where connections are kept alive, by who holds the connection that each answer came over; where they are not, or
    the table of sockets could not be read, by CPU used (the master of a pre-forking server uses next to none).
    """
    mapped = all(observed.observation.owners is not None for observed in kept)
    by_answers = _sum(_answers(observed) for observed in kept) if mapped else {}
    counted = by_answers or _sum(observed.observation.cpu_s for observed in kept)
    total = sum(counted.values())
    if total <= 0:
        return {}
    shares = {str(pid): value / total for pid, value in counted.items()}
    return shares if by_answers else {pid: share for pid, share in shares.items() if share > IDLE_SHARE}


def _answers(observed: Observed) -> dict[int, float]:
    """Answers by the process that held the connection they came over."""
    owners = observed.observation.owners or {}
    return _sum({owners[port]: float(count)} for port, count in observed.measured.ports if port in owners)


def _merged(texts: Iterable[str | None]) -> Histogram | None:
    histograms = [Histogram.decode(text) for text in texts if text is not None]
    return Histogram.merged(histograms) if histograms else None


def latency(histogram: Histogram | None) -> Latency | None:
    """Percentiles in microseconds, each only where the samples reach; None without any."""
    if histogram is None or histogram.count == 0:
        return None
    values = all_resolved(histogram, QUANTILES.values())
    named = {name: values[quantile] for name, quantile in QUANTILES.items()}
    return Latency(**named, max=histogram.max, mean=histogram.mean)


def _hit_ratio(arm: Arm, hits: Hits | None) -> float | None:
    """Share of the good answers that cost no call of the upstream; None where nothing is known of it."""
    if hits is None or hits.totals.good == 0:
        return None
    return max(0.0, 1 - hits.calls / (hits.totals.good * arm.scenario.upstream_calls))


def _offered(slices: Sequence[spec.Slice], length_s: float) -> float | None:
    """Arrivals a second that were scheduled; None where none are, as under closed load."""
    scheduled = [each.scheduled for each in slices if each.scheduled is not None]
    return _ratio(sum(scheduled), length_s) if scheduled else None


def _pressure(observations: Sequence[Observation], length_s: float) -> float | None:
    known = [each.pressure_s for each in observations if each.pressure_s is not None]
    return sum(known) / length_s if known and length_s > 0 else None


def _generator(slices: Sequence[spec.Slice]) -> GeneratorCheck | None:
    checks = [each.generator for each in slices]
    if not checks:
        return None
    return GeneratorCheck(
        cpu_percent=max(check.cpu_percent for check in checks),
        waiting_fraction=max(check.waiting_fraction for check in checks),
        gc_pause_s=sum(check.gc_pause_s for check in checks),
        valid=all(check.valid for check in checks),
        reasons=tuple(dict.fromkeys(reason for check in checks for reason in check.reasons)),
    )


def _shares(slices: Sequence[spec.Slice]) -> Iterator[GeneratorShare]:
    """What each of several generators had of those slices."""
    by_number: dict[int, list[spec.SliceShare]] = {}
    for share in (share for each in slices for share in each.shares):
        by_number.setdefault(share.generator, []).append(share)
    for number, shares in sorted(by_number.items()):
        late = [share.lateness_p99_us for share in shares if share.lateness_p99_us is not None]
        yield GeneratorShare(
            generator=number,
            connections=shares[0].connections,
            requests=sum(share.requests for share in shares),
            cpu_percent=max(share.cpu_percent for share in shares),
            waiting_fraction=max(share.waiting_fraction for share in shares),
            lateness_p99_us=max(late, default=None),
            clock_offset_us=max((share.clock_offset_us for share in shares), key=abs),
            clock_bound_us=max(share.clock_bound_us for share in shares),
        )


def _sum(counts: Iterable[Mapping[K, float]]) -> dict[K, float]:
    total: dict[K, float] = {}
    for count in counts:
        for key, value in count.items():
            total[key] = total.get(key, 0) + value
    return total


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
