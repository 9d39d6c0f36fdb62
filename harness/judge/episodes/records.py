"""What cannot be true in the row of an episode, by name; such a record is refused, not shown as invalid."""

from __future__ import annotations

from collections.abc import Iterator

from harness.record import Episode
from harness.suite import Plan


def impossible(episode: Episode, plan: Plan) -> tuple[str, ...]:
    """Every contradiction of an episode in itself, and with the plan that it belongs to."""
    return (*_planned(episode, plan), *_validity(episode), *_counts(episode))


def _planned(episode: Episode, plan: Plan) -> Iterator[str]:
    group = next((group for group in plan.groups if group.id == episode.group), None)
    if group is None or episode.arm not in {arm.id for arm in group.arms}:
        yield f"arm {episode.arm} of group {episode.group} is not in the plan"
    elif group.disturbance != episode.disturbance:
        yield f"group {group.id} has another disturbance in the plan"


def _validity(episode: Episode) -> Iterator[str]:
    if not episode.valid:
        return
    if episode.error is not None:
        yield "it is called valid and has an error"
    elif episode.during is None or episode.timeline is None:
        yield "it is called valid and has no figures"
    if episode.reasons:
        yield "it is called valid and has reasons why not"


def _counts(episode: Episode) -> Iterator[str]:
    for name, part in (("before", episode.before), ("during", episode.during), ("after", episode.after)):
        if part is not None and part.in_time + part.late + sum(part.lost.values()) != part.arrivals:
            yield f"{name}: in time, late and lost are not the {part.arrivals} arrivals"
