"""The user's objectives, `p99<100ms,errors<0.1%`, and whether they held under a load; pure.

A request is *lost* to an objective when it failed, was never sent, or, for a percentile, was answered later than the
limit. "p99 < 100 ms" then means "at most 1 % is lost". So every objective bounds one ratio, the loss ratio, and a
search for a capacity needs no other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness import units
from harness.errors import UsageError
from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, SAMPLES_BEYOND

LOSS_GOALS = {name.replace("_", "."): round(1 - quantile, 6) for name, quantile in QUANTILES.items()}
"""Percentile, as it is written -> share of the requests that may be answered later."""
SCALE_US = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
LONGEST_US = 3_600_000_000
"""The longest time that a histogram holds: an hour."""
ROUND_TRIPS = 3
"""Of the link that an answer may take before the server has done anything: the connection, the request, and a piece
that is late."""
HELP = "objectives are p50, p90, p95, p99 or p99.9 < TIME, and errors < PERCENT%, as in p99<100ms,errors<0.1%"

_OBJECTIVE = re.compile(r"(?P<metric>[a-z0-9.]+)\s*<\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>us|µs|ms|s|%)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One condition: at most `loss_goal` of the requests may be lost."""

    metric: str
    """p50, p90, p95, p99, p99.9 or errors."""
    limit_us: int | None
    """A request answered later is lost; None for `errors`."""
    loss_goal: float
    text: str
    """As a person reads it: p99 < 100 ms."""

    @property
    def arrivals_needed(self) -> int:
        """The least arrivals that resolve it: a percentile needs ten samples beyond it, a share of errors one error."""
        beyond = 1 if self.limit_us is None else SAMPLES_BEYOND
        return math.ceil(beyond / self.loss_goal - 1e-9)

    def allowed(self, arrivals: float) -> int:
        """How many of `arrivals` may be lost.

        An objective of errors alone allows one always: among few requests, one error is above any small share.
        """
        share = math.floor(self.loss_goal * arrivals + 1e-9)
        return max(share, 1) if self.limit_us is None else share


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the arrivals of a load; response times are of good answers only."""

    arrivals: int
    errors: int
    unsent: int
    """Dropped from the queue, or never handed to a connection."""
    response_us: Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One objective under one load, and what was lost to it."""

    objective: Objective
    arrivals: int
    errors: int
    unsent: int
    late: int

    @property
    def lost(self) -> int:
        """Arrivals lost to the objective."""
        return self.errors + self.unsent + self.late

    @property
    def loss_ratio(self) -> float:
        """Lost over all arrivals; 1 where nothing arrived, because that shows nothing to hold."""
        return self.lost / self.arrivals if self.arrivals else 1.0

    @property
    def held(self) -> bool:
        """Whether the objective held."""
        return self.arrivals > 0 and self.lost <= self.objective.allowed(self.arrivals)

    @property
    def excess(self) -> float:
        """The loss ratio over the loss goal: above 1 it is missed."""
        return self.loss_ratio / self.objective.loss_goal

    @property
    def cause(self) -> str:
        """What most of the loss was: late, errors or never sent."""
        causes = {"late": self.late, "errors": self.errors, "never sent": self.unsent}
        return max(causes, key=causes.__getitem__)


@dataclass(frozen=True, slots=True)
class Slo:
    """All objectives together."""

    objectives: tuple[Objective, ...]

    @property
    def text(self) -> str:
        """As a person reads it."""
        return ", ".join(objective.text for objective in self.objectives)

    @property
    def loss_goal(self) -> float:
        """The smallest loss goal of all."""
        return min(objective.loss_goal for objective in self.objectives)

    @property
    def slack_s(self) -> float:
        """The tightest time limit in seconds, 0 without one: a queue grows so long before it shows as lateness."""
        limits_us = (objective.limit_us for objective in self.objectives if objective.limit_us is not None)
        return min(limits_us, default=0) / 1e6

    @property
    def arrivals_needed(self) -> int:
        """The least arrivals that resolve every objective."""
        return max(objective.arrivals_needed for objective in self.objectives)

    def evaluate(self, tally: Tally) -> tuple[Loss, ...]:
        """Every objective under one load."""
        return tuple(
            Loss(
                objective=objective,
                arrivals=max(tally.arrivals, tally.response_us.count + tally.errors + tally.unsent),
                errors=tally.errors,
                unsent=tally.unsent,
                late=0 if objective.limit_us is None else tally.response_us.above(objective.limit_us),
            )
            for objective in self.objectives
        )


def out_of_reach(limit_us: float, round_trip_us: float) -> bool:
    """Whether a time is over before a server that does nothing could be sure to answer over such a link."""
    return limit_us < ROUND_TRIPS * round_trip_us


def held(losses: Iterable[Loss]) -> bool:
    """Whether every objective held."""
    return all(loss.held for loss in losses)


def worst(losses: Iterable[Loss]) -> Loss:
    """The objective that was missed by most, or came closest to being missed."""
    return max(losses, key=lambda loss: loss.excess)


def parse(text: str) -> Slo:
    """Read objectives joined by commas; raises `UsageError` with everything that is wrong."""
    objectives: list[Objective] = []
    problems: list[str] = []
    for part in text.replace(units.THIN, " ").split(","):  # what a report prints may be pasted
        try:
            objective = _objective(part.strip())
        except UsageError as error:
            problems.append(str(error))
            continue
        if objective.metric in {earlier.metric for earlier in objectives}:
            problems.append(f"{objective.metric} is stated twice")
        objectives.append(objective)
    if problems:
        raise UsageError(f"--slo {text!r}: {'; '.join(problems)}; {HELP}")
    return Slo(tuple(objectives))


def _objective(text: str) -> Objective:
    match = _OBJECTIVE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no objective" if text else "an objective is empty")
    metric, number, unit = match["metric"], float(match["number"]), match["unit"]
    if metric == "errors":
        return _errors(text, number, unit)
    if metric not in LOSS_GOALS:
        raise UsageError(f"{metric!r} is not a metric")
    if unit == "%":
        raise UsageError(f"{text!r}: a percentile is compared with a time in us, ms or s")
    limit_us = number * SCALE_US[unit]
    if not 1 <= limit_us <= LONGEST_US:
        raise UsageError(f"{text!r}: a time is between 1 us and an hour")
    shown = f"{metric} < {units.duration_us(limit_us)}"
    return Objective(metric=metric, limit_us=round(limit_us), loss_goal=LOSS_GOALS[metric], text=shown)


def _errors(text: str, number: float, unit: str) -> Objective:
    if unit != "%":
        raise UsageError(f"{text!r}: errors are a percentage")
    if not 0 < number < 100:  # noqa: PLR2004 - per cent
        raise UsageError(f"{text!r}: the percentage lies between 0 and 100; no load proves that there are none")
    return Objective(metric="errors", limit_us=None, loss_goal=number / 100, text=f"errors < {number:g}{units.THIN}%")
