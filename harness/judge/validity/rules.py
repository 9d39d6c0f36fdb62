"""The rules, each a small pure function over the record, with its reason and remedy.

A reason is a sentence: what was seen, what is allowed, and after a colon what to do about it. Thresholds are
:class:`harness.suite.Thresholds`, which a suite may override.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from harness.judge.statistics import moderated_t, normal_tail_as_t
from harness.judge.validity.slices import kept, mean
from harness.record import Latency, Trial
from harness.suite import Thresholds

Rule = Callable[[Trial, Thresholds], Iterator[str]]

EDGES = 4.0
"""What the edges of a slice may do to Little's law, in units of sqrt(2 / connections) x response time / length.

Requests cut off at an edge count by the fraction inside it, their latencies whole. The standard deviation of that is
0.9 units for exponential response times and 0.4 for a lognormal of sigma 0.5 (simulated)."""


def answered(trial: Trial, _: Thresholds) -> Iterator[str]:
    """Every slice has good answers."""
    slices = kept(trial)
    if not slices:
        yield "no slice is left to count: measure again when the machine is quieter"
    elif silent := [one.round for one in slices if one.throughput_rps == 0]:
        yield f"no good answer in {_rounds(silent)}: read the server's log; give slices more time (slice_s)"


def generator_cpu(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """The generator had CPU to spare."""
    check = trial.generator
    if check is not None and check.cpu_percent > limits.generator_cpu_percent:
        yield (
            f"the load generator was saturated: {check.cpu_percent:.0f} % of a core, at most "
            f"{limits.generator_cpu_percent:.0f} % allowed: what was measured is the generator; "
            "give the server fewer CPUs or the generator a machine of its own"
        )


def generator_waiting(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """The generator ran whenever it could have."""
    check = trial.generator
    if check is not None and check.waiting_fraction > limits.generator_waiting:
        yield (
            f"the load generator waited for a CPU {_percent(check.waiting_fraction)} of the time, at most "
            f"{_percent(limits.generator_waiting)} allowed: leave its CPU to it alone, or use a quieter machine"
        )


def lateness(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """Open: arrivals were handed over when they were due."""
    name, late, response = _highest_resolved(trial.lateness_us, trial.latency_us)
    if late > limits.lateness_p99_us and late > limits.lateness_of_response * response:
        yield (
            f"the load generator was late: lateness {name} {late / 1e3:.2f} ms, which is over "
            f"{limits.lateness_p99_us / 1e3:.2f} ms and over {_percent(limits.lateness_of_response)} of the response "
            f"{name} of {response / 1e3:.2f} ms: lower the rate, or leave the generator's CPU to it alone"
        )


def littles_law(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """Closed: in flight = throughput x mean latency (J. D. C. Little, Operations Research 9 (1961), 383-387)."""
    if trial.phase != "closed":
        return
    for one in kept(trial):
        if not one.mean_latency_us or not one.throughput_rps:
            continue
        in_flight = max(one.in_flight, 1e-9)
        expected = one.throughput_rps * one.mean_latency_us / 1e6
        response_s = min(one.mean_latency_us / 1e6, in_flight / one.throughput_rps)
        edges = EDGES * math.sqrt(2 / in_flight) * response_s / one.length_s
        if abs(expected / in_flight - 1) > max(limits.littles_law, edges):
            yield (
                f"Little's law is off in round {one.round}: {one.in_flight:.1f} requests in flight, but throughput x "
                f"mean latency is {expected:.1f}: {_why_off(trial)}"
            )
            return


def _why_off(trial: Trial) -> str:
    starved = max(one.starved or 0 for one in kept(trial))
    if starved:
        return (
            f"up to {starved} of {trial.load.connections} connections starve, with less than a tenth of their share of "
            "the answers; use a server that shares, or put a proxy before this one"
        )
    return "not steady, or some connections starve; give slices more time (slice_s) or use fewer connections"


def connections_busy(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """Closed: every connection had a request in flight nearly all the time, and none had two."""
    if trial.phase != "closed":
        return
    asked = trial.load.connections
    for one in kept(trial):
        if abs(one.in_flight / asked - 1) > limits.littles_law:
            yield (
                f"{one.in_flight:.1f} requests in flight in round {one.round} on {asked} connections that send back to "
                "back: the generator or the network held them up; use fewer connections, or see why they failed"
            )
            return


def done_of_scheduled(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """Open: what was scheduled was also answered."""
    scheduled = sum(one.scheduled or 0 for one in kept(trial))
    done = sum(one.done or 0 for one in kept(trial))
    if trial.phase == "open" and scheduled and done < limits.done_of_scheduled * scheduled:
        yield (
            f"{done} of {scheduled} scheduled arrivals were answered, at least {_percent(limits.done_of_scheduled)} "
            "needed: the rate is beyond what the server carries; lower it (rate_rps)"
        )


def drops(trial: Trial, _: Thresholds) -> Iterator[str]:
    """Open: nothing was dropped where the policy is to queue."""
    if trial.dropped and trial.load.when_full == "queue":
        yield (
            f"{trial.dropped} arrivals were dropped although the policy is to queue: the queue overflowed; "
            "lower the rate (rate_rps)"
        )


def errors(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """Hardly any request failed."""
    if trial.errors >= limits.errors_at_least and trial.errors > limits.error_ratio * trial.requests:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(trial.error_kinds.items())) or "of no known kind"
        yield (
            f"{trial.errors} of {trial.requests} requests failed ({kinds}), at most {_percent(limits.error_ratio)} "
            "allowed: read the server's log"
        )


def wrong_answers(trial: Trial, _: Thresholds) -> Iterator[str]:
    """No answer had another body than the verified one."""
    if wrong := trial.error_kinds.get("body", 0):
        yield f"{wrong} wrong answers under load: what answers wrongly is not measured; run `gatebench verify`"


def steal(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """The hypervisor left the machine its CPUs."""
    seen = mean(kept(trial), lambda one: one.steal_fraction)
    if seen > limits.steal:
        yield (
            f"the hypervisor took {_percent(seen)} of the CPU time (steal), at most {_percent(limits.steal)} allowed: "
            "measure at another time or on another machine"
        )


def outside_load(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """Nothing else used the machine much."""
    seen = mean(kept(trial), lambda one: one.outside_fraction)
    if seen > limits.outside_load:
        yield (
            f"other processes used {_percent(seen)} of the CPUs, at most {_percent(limits.outside_load)} allowed: "
            "stop them"
        )


def halves(trial: Trial, limits: Thresholds) -> Iterator[str]:
    """The slices' second halves went like their first ones, pooled, as far as steady ones do: a steady state.

    On a shared machine halves of a quarter of a second differ by several percent with nothing wrong, so a trial must
    show a difference that matters and that its few slices cannot show by chance.
    """
    logs, scaled = [], []
    for one in kept(trial):
        first, second = (rate * one.length_s / 2 + 0.5 for rate in one.half_rps)
        logs.append(math.log(second / first))
        # Open: arrivals are Poisson. Closed: completions are more regular, so this errs to the safe side.
        scaled.append(logs[-1] / math.sqrt(limits.halves**2 + 1 / first + 1 / second))
    if not logs:
        return
    t, degrees = moderated_t(scaled)
    ratio = math.exp(sum(logs) / len(logs))
    if abs(t) > normal_tail_as_t(limits.halves_z, degrees) and abs(math.log(ratio)) > limits.halves:
        yield (
            f"no steady state: over {len(logs)} slices the second half ran at {ratio:.2f} times the first: "
            "warm up longer, or give slices more time (slice_s)"
        )


def hits(trial: Trial, limits: Thresholds, upstream_calls: int = 1) -> Iterator[str]:
    """The upstream was called as often as the answers say.

    Uncached: good answers <= hits <= attempts + reconnects, each times the calls an answer costs. Cached: hardly ever,
    beside the misses of a cold start, one for each connection and worker.
    """
    seen, attempts, good = trial.upstream_hits, trial.upstream_attempts, trial.upstream_good
    if seen is None or attempts is None or good is None or not upstream_calls:
        return
    if trial.cache_hit_ratio is None:
        low, high = good * upstream_calls, (attempts + (trial.upstream_reconnects or 0)) * upstream_calls
        if seen < low:
            yield (
                f"fewer upstream hits ({seen}) than good answers imply ({low}): answers did not come from "
                "the upstream; look for a cache in the target or its client"
            )
        elif seen > high:
            yield (
                f"more upstream hits ({seen}) than requests imply ({high}): the upstream was called behind their back; "
                "look for retries in the target's client"
            )
        return
    cold = trial.load.connections * trial.cell.workers
    allowed = (limits.cached_misses * attempts + cold) * upstream_calls
    if seen > allowed:
        yield (
            f"{seen} upstream hits for {attempts} requests to a cached arm, at most {allowed:.0f} expected: the cache "
            "does not hold; check its lifetime and its keys"
        )


RULES: tuple[Rule, ...] = (
    answered,
    generator_cpu,
    generator_waiting,
    lateness,
    littles_law,
    connections_busy,
    done_of_scheduled,
    drops,
    errors,
    wrong_answers,
    steal,
    outside_load,
    halves,
)

STEADY: tuple[Rule, ...] = (generator_waiting, done_of_scheduled, drops, errors, halves)
"""Of them, those that an overload breaks by its nature.

It keeps the services busy beside the generator, which then waits for its CPU more often; `lateness` says whether that
shows in the responses."""


def _rounds(numbers: Sequence[int]) -> str:
    return ("round " if len(numbers) == 1 else "rounds ") + ", ".join(map(str, numbers))


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.3g} %"


def _highest_resolved(late: Latency | None, response: Latency | None) -> tuple[str, float, float]:
    """The highest percentile, up to p99, that the samples of both reach."""
    for name in ("p99", "p95", "p90", "p50"):
        values = getattr(late, name, None), getattr(response, name, None)
        if values[0] is not None and values[1] is not None:
            return name, values[0], values[1]
    return "p50", 0.0, math.inf
