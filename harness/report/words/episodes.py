"""What disturbances do to a victim, in sentences, whatever their kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness import units
from harness.judge.episodes import turned_away
from harness.report.figures import Study
from harness.report.figures.episodes import AtStrength
from harness.report.words.names import called, name, shown
from harness.report.words.neighbours import bearing
from harness.report.words.values import form, text
from harness.suite import Arm

LOST = {
    "reset": "closed under the request",
    "connect": "refused",
    "timeout": "never answered",
    "status": "answered with an error",
}
"""What became of a request that was lost, by the kind of the error."""
WASTED = 0.1
"""A share of answers for nobody from which it is said."""
HUNDREDTHS = 100


def disturbed(study: Study) -> list[str]:
    """The pairs that have a disturbance and a valid episode on record, in the order of the suite."""
    return [pair for pair in study.pairs if any(study.strengths(arm.id) for arm in study.sides(pair))]


def kind_of(study: Study, pair: str) -> str:
    """The kind of a pair's disturbance; empty: it has none."""
    disturbance = study.group_of(pair).disturbance
    return disturbance.kind if disturbance is not None else ""


def headline_of(study: Study, pairs: list[str]) -> str:
    """What the disturbances of a run showed, in a line: of the first pair, or of all deploys together."""
    if kind_of(study, pairs[0]) == "deploy" and (lost := lost_at_deploys(study)):
        return lost
    return told(study, pairs[0]).rstrip(".")


def done_to(study: Study, pair: str) -> str:
    """What the disturbance of a pair does, in a few words."""
    disturbance = study.group_of(pair).disturbance
    return shown(disturbance.words) if disturbance is not None else ""


def lost_at_deploys(study: Study) -> str:
    """The most that was lost, and by whom nothing was; empty where no deploy is valid."""
    pairs = [pair for pair in study.pairs if kind_of(study, pair) == "deploy"]
    every = [(pair, arm, of) for pair in pairs for arm in study.sides(pair) if (of := study.deploys(arm.id))]
    if not every:
        return ""
    pair, arm, most = max(every, key=lambda each: each[2].losses.each)
    if not most.losses.lost:
        return "no request is lost"
    clean: dict[str, list[str]] = {}
    for other, side, of in every:
        if not of.losses.lost:
            clean.setdefault(done_to(study, other), []).append(called(study, side))
    kept = "; ".join(
        f"at {what} {' and '.join(names)} lose{'s' * (len(names) == 1)} none" for what, names in clean.items()
    )
    lost = f"{called(study, arm)} loses {text(most.lost)} requests at {done_to(study, pair)}"
    return f"{lost}; {kept}" if kept else lost


def told(study: Study, pair: str) -> str:
    """What a pair's disturbance showed, in a sentence."""
    return f"{name(study, pair)}: {shown_by(study, pair)}."


def shown_by(study: Study, pair: str) -> str:
    """The same without the pair's name."""
    return OF_KIND[kind_of(study, pair)](study, pair)


def _deployed(study: Study, pair: str) -> str:
    return "; ".join(_deployed_arm(study, arm) for arm in study.sides(pair))


def _deployed_arm(study: Study, arm: Arm) -> str:
    who, found = called(study, arm), study.deploys(arm.id)
    if found is None:
        return f"{who} has no valid episode"
    of = found.losses
    times = units.plural(of.deploys, "time")
    if not of.lost:
        lost = f"loses no request in {times} (at most {units.number(of.high, 2)} each time)"
    else:
        each = form("lost", "requests")(of.each)
        lost = f"loses {each} requests each time ({times}: {lost_words(of.kinds)})"
    dips = found.length_s
    dipped = f", is late or lost for {text(dips)}" if dips.value else ", and none is late"
    changed = found.changed_s
    after = f", and has changed after {text(changed)}" if changed.value is not None else ""
    return f"{who} {lost}{dipped}{after}"


def lost_words(kinds: Mapping[str, int]) -> str:
    """How requests were lost, and how many: `18 closed under the request`."""
    return ", ".join(f"{count} {LOST.get(kind, kind)}" for kind, count in sorted(kinds.items()))


def _overloaded(study: Study, pair: str) -> str:
    strongest = [points[-1].strength for arm in study.sides(pair) if (points := study.strengths(arm.id))]
    sides = "; ".join(_overloaded_arm(study, arm) for arm in study.sides(pair))
    return f"at {max(strongest, default=0) / HUNDREDTHS:g} times the capacity {sides}"


def _overloaded_arm(study: Study, arm: Arm) -> str:
    who, points = called(study, arm), study.strengths(arm.id)
    if not points:
        return f"{who} has no valid episode"
    well = points[-1].well_s
    again = f"and is well again after {text(well)}" if well.value is not None else "and is not well again"
    kept = units.percent(_share_of_best(points))
    return f"{who} keeps {kept} of its best in time {again}{wasted(points[-1])}{unaccepted(points[-1])}"


def unaccepted(point: AtStrength) -> str:
    """That connections found the accept queue full, where it was seen; otherwise empty."""
    away = turned_away(point.episodes)
    return f" (its accept queue was full: {units.plural(away, 'connection')} turned away)" if away else ""


def _share_of_best(points: list[AtStrength]) -> float:
    best = max((point.goodput.value or 0.0 for point in points), default=0.0)
    return (points[-1].goodput.value or 0.0) / best if best else 0.0


def wasted(point: AtStrength) -> str:
    """That a server works on for clients that left, where its own count says so; otherwise empty."""
    share = point.for_nobody.value
    return f" ({units.percent(share)} of its work was for clients that had left)" if share and share > WASTED else ""


OF_KIND: dict[str, Callable[[Study, str], str]] = {
    "held": bearing,
    "deploy": _deployed,
    "overload": _overloaded,
}
"""What is said of each kind of disturbance."""
