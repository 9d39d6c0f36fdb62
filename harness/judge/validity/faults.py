"""Whose fault it is that a trial may not be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import Fault
from harness.judge.validity.rules import BROKEN_BY_DISTURBANCE, RULES, hits
from harness.record import Trial
from harness.suite import Thresholds

ANSWERED_BADLY = ("status", "body", "protocol")
"""Kinds of errors that are answers: no disturbance writes them, while it may well cut a connection or cost time."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason why a trial may not be used, and whose fault that is."""

    reason: str
    fault: Fault


def causes(
    trial: Trial, thresholds: Thresholds, *, beside: Trial | None = None, upstream_calls: int = 1
) -> tuple[Cause, ...]:
    """Why `trial` may not be used, each reason with its fault, from its record alone; nothing when it may be used.

    `beside` is the trial of the pair's other arm in the same block and phase: requests that failed on both may have
    failed by what both share. The fault of an error, and of what was seen of the processes, is on record (`fault`); a
    record from before there was this key, and a reason that no rule gives today, are unclear.
    """
    if trial.error is not None:
        return (Cause(trial.error, trial.fault or "unclear"),)
    if trial.valid:
        return ()
    by_reason = dict(_of_rules(trial, thresholds, beside))
    by_reason |= dict.fromkeys(hits(trial, thresholds, upstream_calls), "unclear")
    return tuple(Cause(reason, by_reason.get(reason, trial.fault or "unclear")) for reason in trial.reasons)


def _of_rules(trial: Trial, thresholds: Thresholds, beside: Trial | None) -> Iterator[tuple[str, Fault]]:
    broken = [(rule, reason) for rule in RULES for reason in rule(trial, thresholds)]
    disturbed = any(_disturbed(each, thresholds) for each in (trial, beside) if each is not None)
    for rule, reason in broken:
        doubtful = rule in BROKEN_BY_DISTURBANCE and (
            (disturbed and not _answered_badly(trial, thresholds)) or _broken_by_both(beside, thresholds)
        )
        yield reason, "unclear" if doubtful else RULES[rule]


def _disturbed(trial: Trial, thresholds: Thresholds) -> bool:
    return any(True for rule, fault in RULES.items() if fault == "machine" for _ in rule(trial, thresholds))


def _answered_badly(trial: Trial, thresholds: Thresholds) -> bool:
    """Whether its bad answers alone are more errors than are allowed."""
    bad = sum(trial.error_kinds.get(kind, 0) for kind in ANSWERED_BADLY)
    return bad >= thresholds.errors_at_least and bad > thresholds.error_ratio * trial.requests


def _broken_by_both(beside: Trial | None, thresholds: Thresholds) -> bool:
    if beside is None or beside.error is not None:
        return False
    return any(True for rule in BROKEN_BY_DISTURBANCE for _ in rule(beside, thresholds))
