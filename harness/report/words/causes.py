"""Why an arm serves no more than it does, as clauses that follow its name in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness import units
from harness.judge.limits.words import arm_bound_by
from harness.judge.verdicts import PairVerdict
from harness.report.figures import Study
from harness.report.words.names import called, shown
from harness.suite import Arm

SLOW: Mapping[str, str] = {
    "blocking-call": "blocks its event loop while it waits",
    "anyio-threads": "has all threads of AnyIO's pool busy",
    "client-pool": "spends its CPU on the pool of its HTTP client",
    "client-per-request": "builds an HTTP client for each request",
    "uneven-workers": "shares the load out unevenly among its workers",
    "no-keep-alive": "opens a connection for each request",
    "delayed-ack": "waits for TCP's delayed acknowledgements",
    "costly-cache": "pays more for its cache than it saves",
    "imbalanced": "has too few connections to share out among its workers",
    "starving": "leaves some connections waiting",
    "host-cores": "runs as many workers as the host's cores ask for",
}
"""Diagnoses that explain a throughput, by the kind of their caveat, each as the clause that follows the arm's name.

A closed load that is too small is no fault of the arm: there the limit says it.
"""
LATE: Mapping[str, str] = {
    "stalls": "stands still now and then",
    "throttled": "stands still whenever its quota is used up",
}
"""Diagnoses that explain a latency at a rate that the arm does hold."""


def bound(arm: Arm, limit: str | None, cores: int) -> str:
    """What stopped an arm, as the clause that follows its name; empty where nothing is known."""
    return shown(arm_bound_by(limit, arm, cores))


def link(study: Study, arms: Iterable[Arm]) -> str:
    """What stands behind a limit of arms on another machine than the load: how far that is; empty for all others."""
    known = [away_us for arm in arms if (away_us := study.round_trip_us(arm.id)) is not None]
    return f", over a link whose round trip is {units.duration_us(max(known))}" if known else ""


def diagnosed(study: Study, pair: str, arm: Arm, phrases: Mapping[str, str]) -> str:
    """The first diagnosis of an arm that has a phrase, in words; empty where none has."""
    kinds = [caveat.kind for caveat in study.caveats(pair) if caveat.arm == arm.id]
    return next((phrases[kind] for kind in kinds if kind in phrases), "")


def because(study: Study, pair: str, verdict: PairVerdict, behind: Arm, ahead: Arm) -> str:
    """Why one side of a pair serves less than the other: what is wrong with it, and what stopped each; may be empty."""
    limits = dict(zip((arm.id for arm in study.sides(pair)), (verdict.a_limit, verdict.b_limit), strict=True))
    slow, fast = (bound(arm, limits[arm.id], study.cores) for arm in (behind, ahead))
    fault = diagnosed(study, pair, behind, SLOW)
    if slow == fast:
        clauses = [f"{briefly(study, pair, behind)} {fault}" if fault else "", f"each {slow}" if slow else ""]
        return "; ".join(filter(None, clauses)) + (link(study, (behind, ahead)) if slow else "")
    trouble = " and ".join(filter(None, (fault, slow)))
    both = ((behind, trouble), (ahead, fast))
    stated = ", while ".join(f"{briefly(study, pair, arm)} {clause}" for arm, clause in both if clause)
    return stated + (link(study, (behind, ahead)) if slow or fast else "")


def limits(study: Study, pair: str, verdict: PairVerdict) -> str:
    """What stopped each side of a pair that nothing sets apart; may be empty."""
    stopped = [
        (arm, bound(arm, limit, study.cores))
        for arm, limit in zip(study.sides(pair), (verdict.a_limit, verdict.b_limit), strict=True)
        if limit is not None
    ]
    if not stopped:
        return ""
    if len(stopped) == 2 and stopped[0][1] == stopped[1][1]:  # noqa: PLR2004 - both sides
        stated = f"each {stopped[0][1]}"
    else:
        stated = ", ".join(f"{briefly(study, pair, arm)} {what}" for arm, what in stopped)
    return stated + link(study, [arm for arm, _ in stopped])


def briefly(study: Study, pair: str, arm: Arm) -> str:
    """An arm by its target alone, or else its server, where that sets it apart from its partner."""
    a, b = (side.cell for side in study.sides(pair))
    if a.target != b.target:
        return shown(arm.cell.target)
    return shown(arm.cell.server) if a.server != b.server else called(study, arm)
