"""The page's table of a mix: each of its requests on each arm."""

from __future__ import annotations

from dataclasses import dataclass

from harness.judge.metrics import latency_name
from harness.report import words
from harness.report.figures import Study, Value
from harness.report.figures.requests import request_id
from harness.suite import Arm, Phase

PERCENTILES = ("p50", "p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """A request of a mix on one arm."""

    condition: str
    arm: Arm
    setup: str
    own: str
    letter: str
    """The side of the pair, a or b."""
    name: str
    figures: tuple[Value | None, ...]
    """Share, throughput, then latency by `PERCENTILES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByRequest:
    """The table of one scenario."""

    throughput: Phase
    """The load whose throughput it shows."""
    latency: Phase
    """The load whose percentiles it shows: an open one where there is one, for a closed one shows a queue."""
    rows: tuple[RequestView, ...]


def by_request(study: Study, scenario: str) -> ByRequest | None:
    """The table of a scenario; None where it is no mix, or nothing was measured."""
    names = [asked.name for asked in study.scenarios[scenario].mix]
    phases = {phase for g in study.run.info.plan.groups if g.scenario == scenario for phase in g.phases}
    loads: tuple[Phase, Phase] = (
        "closed" if "closed" in phases else "open",
        "open" if "open" in phases else "closed",
    )
    rows = [
        _view(study, pair, arm, letter, name, loads)
        for pair in study.pairs_of(scenario)
        for name in names
        for arm, letter in zip(study.sides(pair), "ab", strict=True)
    ]
    if not any(any(row.figures) for row in rows):
        return None
    return ByRequest(throughput=loads[0], latency=loads[1], rows=tuple(rows))


def _view(study: Study, pair: str, arm: Arm, letter: str, name: str, loads: tuple[Phase, Phase]) -> RequestView:
    def value(metric: str, phase: Phase) -> Value | None:
        return study.values.get(f"request/{request_id(arm.id, name)}/{metric}/{phase}")

    throughput, latency = loads
    return RequestView(
        condition=words.under(study, pair),
        arm=arm,
        setup=words.setup(arm),
        own=words.own(arm),
        letter=letter,
        name=name,
        figures=(
            value("share", throughput),
            value("throughput_rps", throughput),
            *(value(latency_name(quantile, latency), latency) for quantile in PERCENTILES),
        ),
    )
