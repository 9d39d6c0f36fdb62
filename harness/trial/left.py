"""Whether the generators that are left can drive a phase, where some of several are lost."""

from __future__ import annotations

from collections.abc import Sequence

from harness import units
from harness.errors import TooFewGeneratorsError
from harness.record import Trial
from harness.suite import Arm, Load, Phase
from harness.trial.bench import Bench, GroupState


def require_enough(bench: Bench, state: GroupState, phase: Phase, arms: Sequence[Arm]) -> tuple[str, ...]:
    """Which generators `phase` is driven without; raises `TooFewGeneratorsError` where those left are too slow for it.

    What they can do is known by what the run has shown: the CPU that a request of an arm costs them. Where it has shown
    nothing yet, they drive it, and its trials are judged by what they used, as all are.
    """
    plan = bench.plan
    if not plan.together or not (absent := bench.generator.absent()):
        return ()
    left, most = plan.generators - len(absent), plan.thresholds.generator_cpu_percent
    for arm in arms:
        load = state.load(arm, phase)
        known = [trial for trial in state.trials if trial.arm == arm.id and trial.error is None]
        rate_rps, cores = needed(load, known)
        percent = 100 * cores / min(left, load.connections)
        if percent > most:
            raise TooFewGeneratorsError(
                f"{'; '.join(absent)}: the {units.plural(left, 'generator')} left would use {percent:.0f} % of a core "
                f"each for {units.rps(rate_rps)} of {arm.label}, at most {most:.0f} % allowed"
            )
    return absent


def needed(load: Load, known: Sequence[Trial]) -> tuple[float, float]:
    """Requests a second of `load`, and how many cores of generators they take by the trials that are known of its arm.

    Both 0 where nothing is known.
    """
    cost_s = next((each.generator_cpu_s_per_request for each in reversed(known) if each.generator_cpu_s_per_request), 0)
    shown_rps = [each.throughput_rps for each in known if each.phase == load.kind and each.throughput_rps]
    rate_rps = load.rate_rps if load.rate_rps is not None else max(shown_rps, default=0.0)
    return (rate_rps, rate_rps * cost_s) if cost_s else (0.0, 0.0)
