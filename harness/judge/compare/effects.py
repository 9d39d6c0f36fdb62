"""What a factor does within each interface, and how that differs between the interfaces; on the log scale.

An effect is the log ratio of two cells that differ in exactly that factor: block by block where one group holds both,
else between independent samples (Welch). The interfaces' difference is that of a pair's ratio at the two levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

from harness.judge.compare.blocks import Trials, sample
from harness.judge.metrics import metrics
from harness.judge.statistics import Estimate, estimate, ratio_of, welch
from harness.judge.validity import kept
from harness.judge.verdicts import Effect
from harness.record import Run, Trial
from harness.suite import Arm, Factor

Key = tuple[str, int]
"""Group and block."""
Values = Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class CellLogs:
    """One cell under one load, and its logarithm in each block; several arms may show it."""

    arm: Arm
    values: Values


def effects(run: Run) -> tuple[Effect, ...]:
    """The effects that the closed phases of `run` show."""
    trials = Trials(run.trials)
    factors = run.info.plan.factors
    shown: list[Effect] = []
    for name, log_value in (("throughput_rps", _log_throughput), ("cpu_s_per_request", _log_cpu)):
        shown += _within_interfaces(name, factors, _points(run, trials, log_value))
        shown += _between_interfaces(name, factors, _pairs(run, trials, name))
    return tuple(shown)


def _within_interfaces(metric: str, factors: Sequence[Factor], points: Sequence[CellLogs]) -> Iterator[Effect]:
    for low, high, factor in _ordered(points, factors):
        estimated, blocks = _difference(high.values, low.values)
        if estimated is not None:
            effect = _effect(factor, low.arm, high.arm, metric, estimated, blocks)
            yield replace(effect, where=low.arm.cell.interface, context=_context(low.arm, factor, factors))


def _between_interfaces(
    metric: str, factors: Sequence[Factor], pairs: Sequence[tuple[CellLogs, Arm]]
) -> Iterator[Effect]:
    """`pairs` are points whose values are the log ratios of pairs, each with the pair's other arm."""
    partners = {point.arm.id: partner for point, partner in pairs}
    for low, high, factor in _ordered([point for point, _ in pairs], factors):
        a_low, a_high = partners[low.arm.id], partners[high.arm.id]
        alike = _level(a_low, factor) == _level(low.arm, factor)
        if _only_difference(a_low, a_high, factors) != factor or not alike:
            continue
        estimated, blocks = _difference(high.values, low.values)
        if estimated is not None:
            effect = _effect(factor, low.arm, high.arm, metric, estimated, blocks)
            yield replace(
                effect,
                where=f"{low.arm.cell.interface} / {a_low.cell.interface}",
                context=f"{_context(low.arm, factor, factors)} / {_context(a_low, factor, factors)}",
            )


def _pairs(run: Run, trials: Trials, name: str) -> list[tuple[CellLogs, Arm]]:
    """The pairs of two interfaces; those of equal cells are one."""
    points: dict[tuple[Any, ...], tuple[CellLogs, Arm]] = {}
    for group in run.info.plan.groups:
        closed = [metric for metric in metrics(group) if metric.name == name and metric.phase == "closed"]
        for metric, pair in product(closed, group.pairs):
            a, b = group.arm(pair.a), group.arm(pair.b)
            if a.cell.interface != b.cell.interface:
                values = {(group.id, block): value for block, value in sample(trials, pair, metric).values.items()}
                point, _ = points.get((a.cell, b.cell, b.connections), (CellLogs(b, {}), a))
                points[a.cell, b.cell, b.connections] = (CellLogs(point.arm, {**point.values, **values}), a)
    return list(points.values())


def _points(run: Run, trials: Trials, log_value: Callable[[Trial], float | None]) -> list[CellLogs]:
    """Arms with equal cells and connections in one group are one point, averaged."""
    arms: dict[tuple[Any, ...], tuple[Arm, dict[Key, list[float]]]] = {}
    for group in run.info.plan.groups:
        for arm in group.arms:
            _, values = arms.setdefault((arm.cell, arm.connections), (arm, {}))
            for block, trial in trials.of(arm.id, "closed").items():
                if trial.valid and (value := log_value(trial)) is not None:
                    values.setdefault((group.id, block), []).append(value)
    return [
        CellLogs(arm, {key: math.fsum(logs) / len(logs) for key, logs in values.items()})
        for arm, values in arms.values()
    ]


def _ordered(points: Sequence[CellLogs], factors: Sequence[Factor]) -> Iterator[tuple[CellLogs, CellLogs, Factor]]:
    """Each two points that differ in exactly one factor, one of them at that factor's baseline."""
    for pair in combinations(points, 2):
        factor = _only_difference(pair[0].arm, pair[1].arm, factors)
        if factor is None:
            continue
        low, high = sorted(pair, key=lambda point: _rank(point.arm, factor))
        siblings = [point for point in points if _only_difference(point.arm, low.arm, factors) == factor]
        if all(_rank(point.arm, factor) > _rank(low.arm, factor) for point in siblings):
            yield low, high, factor


def _only_difference(arm: Arm, other: Arm, factors: Sequence[Factor]) -> Factor | None:
    """The one factor in which two arms differ; None when anything else differs, or nothing."""
    if arm.connections != other.connections or arm.rate_rps != other.rate_rps:
        return None
    mine, theirs = arm.cell.keys, other.cell.keys
    names = [name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)]
    return next((factor for factor in factors if names == [factor.name]), None)


def _rank(arm: Arm, factor: Factor) -> tuple[int, str]:
    return factor.rank(arm.cell.level(factor.name), arm.target)


def _difference(high: Values, low: Values) -> tuple[Estimate | None, int]:
    """`high` over `low` with its blocks: paired where blocks are shared, else Welch; None under two blocks."""
    if shared := sorted(high.keys() & low.keys()):
        return (estimate([high[key] - low[key] for key in shared]) if len(shared) > 1 else None), len(shared)
    blocks = min(len(high), len(low))
    return (welch(list(high.values()), list(low.values())) if blocks > 1 else None), blocks


def _effect(factor: Factor, low: Arm, high: Arm, metric: str, estimated: Estimate, blocks: int) -> Effect:
    begin, end = estimated.interval()
    return Effect(
        factor=factor.name,
        low_level=_level(low, factor),
        high_level=_level(high, factor),
        scenario=low.cell.scenario,
        where="",
        metric=metric,
        ratio=ratio_of(estimated.mean),
        low=ratio_of(begin),
        high=ratio_of(end),
        blocks=blocks,
    )


def _level(arm: Arm, factor: Factor) -> str:
    return str(arm.cell.level(factor.name))


def _context(arm: Arm, factor: Factor, factors: Sequence[Factor]) -> str:
    """The target and its server, and what else was set."""
    rest = {other.name: arm.cell.level(other.name) for other in factors if other != factor}
    words = [f"{name} {level}" for name, level in rest.items() if level not in ("none", 1)]
    return ", ".join([f"{arm.cell.target} on {arm.cell.server}", *words])


def _log_throughput(trial: Trial) -> float | None:
    logs = [math.log(piece.throughput_rps) for piece in kept(trial) if piece.throughput_rps > 0]
    return math.fsum(logs) / len(logs) if logs else None


def _log_cpu(trial: Trial) -> float | None:
    return math.log(trial.cpu_s_per_request) if trial.cpu_s_per_request else None
