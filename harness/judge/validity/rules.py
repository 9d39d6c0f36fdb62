"""The rules, each a small pure function over the record, with its reason and remedy.

A rule's docstring says what must hold. Its reason is a sentence: what happened, what is allowed, and after a colon what
to do about it. Thresholds are :class:`harness.suite.Thresholds`, which a suite may override.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from harness import units
from harness.errors import Fault
from harness.judge.validity.generator import generator_cpu, generator_waiting, lateness
from harness.judge.validity.slices import kept, mean
from harness.judge.validity.steadiness import connections_busy, halves, littles_law
from harness.judge.validity.words import percent, rounds
from harness.record import Trial
from harness.suite import Thresholds

Rule = Callable[[Trial, Thresholds], Iterator[str]]


def slices_left(trial: Trial, _: Thresholds) -> Iterator[str]:
    """There is a slice that counts."""
    if not kept(trial):
        yield "no slice is left to count, for every round was disturbed: measure again when the machine is quieter"


def answered(trial: Trial, _: Thresholds) -> Iterator[str]:
    """Every slice that counts has good answers."""
    if silent := [slice_.round for slice_ in kept(trial) if slice_.throughput_rps == 0]:
        yield f"no good answer in {rounds(silent)}: read the server's log; give slices more time (slice_s)"


def done_of_scheduled(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """Open: what was scheduled was also answered."""
    scheduled = sum(slice_.scheduled or 0 for slice_ in kept(trial))
    done = sum(slice_.done or 0 for slice_ in kept(trial))
    if trial.phase == "open" and scheduled and done < thresholds.done_of_scheduled * scheduled:
        yield (
            f"{done} of {scheduled} scheduled arrivals were answered, at least {percent(thresholds.done_of_scheduled)} "
            "needed: the rate is beyond what the server carries; lower it (rate_rps)"
        )


def drops(trial: Trial, _: Thresholds) -> Iterator[str]:
    """Open: no arrival was dropped where arrivals are to queue when all connections are busy."""
    if trial.dropped and trial.load.when_full == "queue":
        yield (
            f"{trial.dropped} arrivals were dropped although the policy is to queue: the queue overflowed; "
            "lower the rate (rate_rps)"
        )


def errors(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """Hardly any request failed."""
    if trial.errors >= thresholds.errors_at_least and trial.errors > thresholds.error_ratio * trial.requests:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(trial.error_kinds.items())) or "of no known kind"
        yield (
            f"{trial.errors} of {trial.requests} requests failed ({kinds}), at most {percent(thresholds.error_ratio)} "
            "allowed: read the server's log"
        )


def wrong_answers(trial: Trial, _: Thresholds) -> Iterator[str]:
    """No answer had another body than the verified one."""
    if wrong := trial.error_kinds.get("body", 0):
        yield (
            f"{units.plural(wrong, 'wrong answer')} under load: what answers wrongly is not measured; "
            "run `gatebench verify`"
        )


def steal(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """The hypervisor left the machine its CPUs."""
    stolen = mean(kept(trial), lambda slice_: slice_.steal_fraction)
    if stolen > thresholds.steal:
        yield (
            f"the hypervisor took {percent(stolen)} of the CPU time (steal), at most {percent(thresholds.steal)} "
            "allowed: measure at another time or on another machine"
        )


def outside_load(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """Processes that do not belong to the measurement hardly used the machine."""
    outside = mean(kept(trial), lambda slice_: slice_.outside_fraction or 0.0)
    if outside > thresholds.outside_load:
        yield (
            f"other processes used {percent(outside)} of the CPUs, at most {percent(thresholds.outside_load)} allowed: "
            "stop them"
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


RULES: Mapping[Rule, Fault] = {
    slices_left: "machine",
    answered: "arm",
    generator_cpu: "machine",
    generator_waiting: "machine",
    lateness: "machine",
    littles_law: "unclear",
    connections_busy: "unclear",
    done_of_scheduled: "unclear",
    drops: "unclear",
    errors: "arm",
    wrong_answers: "arm",
    steal: "machine",
    outside_load: "machine",
    halves: "unclear",
}
"""The rules in the order in which their reasons are given, and whose fault it is when each is broken.

The load generator counts as the machine. Unclear is what a server and a disturbance break alike.
"""

BROKEN_BY_DISTURBANCE: tuple[Rule, ...] = (answered, errors)
"""The arm's own rules that a disturbed machine, or a service that both arms call, may break too."""

BROKEN_BY_OVERLOAD: tuple[Rule, ...] = (generator_waiting, done_of_scheduled, drops, errors, halves)
"""Rules that a load breaks by being more than the server holds.

Among them `generator_waiting`: an overload keeps the services busy on the generator's CPU, so that it waits for it more
often. Whether that shows in the response times is what `lateness` judges."""
