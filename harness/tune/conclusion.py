"""What a session found, as an `Answer`; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from harness import units
from harness.errors import GatebenchError, GateError, NothingValidError
from harness.judge.slo import Kept
from harness.record import TRIALS
from harness.suite import Arm
from harness.tune.answer import Answer, Capacity, capacity, points, rows
from harness.tune.bracket import conclude
from harness.tune.explain import command, explain
from harness.tune.session import Asked, Found

MOODY = 1.2
"""Times the CPU a request between the dearest and the cheapest trials at much the same rate, a tenth of either left
out, from which the machine is said to have changed."""
ALIKE = 1.3
"""How far rates are apart that are much the same."""
ENOUGH = 10
"""Trials to say so."""


def answer(asked: Asked, arm: Arm, found: Found) -> Answer:
    """The best answer that there is, whole or not."""
    choice = found.choice
    given = Answer(
        target=arm.cell.target,
        server=arm.cell.server,
        scenario=arm.cell.scenario,
        levels=arm.levels,
        service=found.service,
        margin=asked.margin,
        budget_s=asked.budget_s,
        elapsed_s=found.elapsed_s,
        interrupted=found.interrupted,
        failure=found.failure,
        slo=asked.slo.text if asked.slo else None,
        capacity_rps=_capacity(found),
        searched=points(found.trials, conclude(found.search, found.trials)) if found.search and found.trials else (),
        recommended=choice.recommended if choice else None,
        ties=choice.ties if choice else (),
        ended=found.ended,
        candidates=rows(found.setup, found.blocks, choice) if found.setup and found.blocks else (),
        command=command(arm, choice.recommended) if choice else (),
        caveats=tuple(_caveats(asked, found)),
    )
    return replace(given, explanation=refusal(found) or explain(given))


def _moods(found: Found) -> Iterator[str]:
    """A machine that changes its speed moves the edge, and no search can tell where it will be in an hour."""
    known = [(one.rate_rps, one.cpu_s_per_request) for one in found.trials if one.cpu_s_per_request]
    usual = median(rate for rate, _ in known) if known else 0.0
    costs = sorted(cost for rate, cost in known if usual / ALIKE <= rate <= usual * ALIKE)
    if len(costs) < ENOUGH:
        return
    low, high = costs[len(costs) // 10], costs[-1 - len(costs) // 10]
    if high > MOODY * low:
        yield (
            f"the machine changed its speed during the search: a request took {units.seconds(low)} to "
            f"{units.seconds(high)} of CPU in eight of ten trials, and the rate that holds moves with it; search again "
            "at another hour, or on a machine of your own"
        )


def refusal(found: Found) -> str:
    """Why no load can hold the objective, where one connection already misses it; else empty."""
    kept = found.refused
    if kept is None or found.service is None:
        return ""
    return (
        f"No load can hold {kept.objective.text}: with one worker and a single connection, so with nothing to wait "
        f"behind, {kept.lost} of {kept.arrivals} requests were lost to it ({kept.cause}); the unloaded response takes "
        f"{units.seconds(found.service.unloaded_s)}, which neither workers nor a lower rate can shorten."
    )


def shortfall(folder: Path, found: Found, told: Answer) -> GatebenchError | None:
    """What is missing of the answer, as the error that ends the call; None where nothing is.

    Exit code 3 after a failed launch or load, which can be gone on with, and where nothing valid came out; exit code 1
    where no load holds the objectives.
    """
    if found.failure is not None:
        return GatebenchError(f"{found.failure}\nwhat was measured is kept: gatebench tune --resume {folder} goes on")
    if told.capacity_rps is not None and told.capacity_rps.ending == "nothing holds":
        return GateError(refusal(found) or f"no load holds {told.slo}: {told.explanation}")
    if told.recommended is None:
        return NothingValidError(f"nothing valid came out; the reasons stand in {folder}/{TRIALS} and the report")
    return None


def _capacity(found: Found) -> Capacity | None:
    if found.refused is not None:
        return _none(found.refused)
    if found.search is None or not found.trials:
        return None
    return capacity(
        found.search, found.trials, found.ending or ("failed" if found.failure else "interrupted"), found.connections
    )


def _none(kept: Kept) -> Capacity:
    return Capacity(
        low=None,
        high=None,
        connections=1,
        trials=0,
        low_trials=None,
        high_trials=None,
        probability=1.0,
        settled=True,
        ending="nothing holds",
        broke=kept.objective.text,
        cause=kept.cause,
        limit=None,
    )


def _caveats(asked: Asked, found: Found) -> Iterator[str]:
    if found.interrupted:
        yield "interrupted: this is the best answer so far"
    if found.failure is not None:
        yield f"broken off: {found.failure}"
    elif asked.slo is not None and found.refused is None and not found.trials:
        yield "the capacity was not searched for: there was no time, or no count that could be searched with"
    yield from _moods(found)
    unusable = sum(trial.outcome == "invalid" for trial in found.trials)
    if unusable:
        yield f"{unusable} of {len(found.trials)} trials of the search may not be used: something disturbed them"
