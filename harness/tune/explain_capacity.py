"""What load the chosen settings hold, in the sentences of the paragraph; pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.tune.recommendation import Capacity, Recommendation
from harness.tune.trials import UNUSABLE, Ending

UNSETTLED: dict[Ending, str] = {
    "time is up": "not settled in the time there was",
    "interrupted": "not settled before it was interrupted",
    "failed": "not settled before it was broken off",
    "unusable": f"not settled: the last {UNUSABLE} trials could not be used",
}
"""What is said of a bracket that is not settled, by how its search ended."""


def told(recommendation: Recommendation) -> Iterator[str]:
    """Up to which rate it holds, on what evidence, and what breaks above; nothing where no rate was searched."""
    capacity, slo = recommendation.capacity_rps, recommendation.slo
    if capacity is None or slo is None:
        return
    if not capacity.known:
        yield f"What load holds {slo} is not known: no trial of the search could be used."
        return
    if capacity.low is None:
        tried = f", not even {units.rps(capacity.high)}" if capacity.high else ""
        yield f"No load holds {slo}{tried}{_broke(capacity)}."
        return
    evidence = _evidence(capacity)
    if capacity.high is None:
        why = "the generator cannot offer more" if capacity.ending == "generator" else "no higher rate was tried enough"
        yield f"It {capacity.holds} {slo} at {units.rps(capacity.low)}{evidence}; {why}."
        return
    yield (
        f"It {capacity.holds} {slo} up to {units.rps(capacity.low)} and not at {units.rps(capacity.high)}"
        f"{evidence}{_broke(capacity)}."
    )
    yield from _interval(capacity)


def _interval(capacity: Capacity) -> Iterator[str]:
    """What a fresh launch will hold for half a minute, and what makes that uncertain."""
    found = capacity.interval
    if found is None:
        return
    rest = max(0.0, 1 - found.machine - found.launches)
    yield (
        f"That is for half a minute of a fresh launch, nine times in ten, {units.rps(found.middle)} in the middle, by "
        f"{units.plural(found.trials, 'trial')} of ten seconds at least: {units.percent(found.machine)} of what "
        f"spreads it is the machine's spells, {units.percent(found.launches)} are differences of launches, and "
        f"{units.percent(rest)} too few trials."
    )


def _evidence(capacity: Capacity) -> str:
    parts = [f"over {capacity.connections} connections"] if capacity.connections else []
    if capacity.launches > 1:
        parts.append(f"{capacity.launches} launches")
    if capacity.low_trials and capacity.low_trials.trials:
        parts.append(f"{capacity.low_trials.held} of {capacity.low_trials.trials} trials held below")
    if capacity.high_trials and capacity.high_trials.trials:
        parts.append(f"{capacity.high_trials.exceeded} of {capacity.high_trials.trials} failed above")
    if not capacity.settled:
        parts.append(UNSETTLED.get(capacity.ending, "not settled"))
    return f" ({', '.join(parts)})" if parts else ""


def _broke(capacity: Capacity) -> str:
    if capacity.broke is None:
        return ""
    limit = f", with {capacity.limit} as the limit" if capacity.limit else ""
    stalls = capacity.stalls
    if stalls is not None:
        limit = (
            f", because the server stands still {stalls.per_s:.1f} times a second for {units.seconds(stalls.mean_s)}: "
            "look for what stops all requests at once, in Python first for full garbage collections (the factor gc)"
        )
    return f"; above, {capacity.broke} breaks first (mostly {capacity.cause}){limit}"
