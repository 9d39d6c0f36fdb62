"""What a factor does within each interface, and how that differs between the interfaces; on the log scale.

An effect is the log ratio of two cells that differ in exactly that factor: block by block where one group holds both,
else between independent samples (Welch). The interfaces' difference is that of a pair's ratio at the two levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations, product
from typing import Any

from harness.judge.compare.blocks import Trials, sample
from harness.judge.metrics import metrics
from harness.judge.statistics import Estimate, estimate, welch
from harness.judge.validity import kept
from harness.judge.verdicts import Effect
from harness.record import Run, Trial
from harness.suite import Arm, Cell

FACTORS = ("pooling", "cache", "client", "workers", "threads", "middleware", "gc")
Key = tuple[str, int]
"""Group and block."""
Values = Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class Level:
    """One cell under one load, and its logarithm in each block; several arms may show it."""

    arm: Arm
    values: Values


def effects(run: Run) -> tuple[Effect, ...]:
    """The effects that the closed phases of `run` show."""
    trials = Trials(run.trials)
    found: list[Effect] = []
    for name, log_value in (("throughput_rps", _log_throughput), ("cpu_s_per_request", _log_cpu)):
        found += _within_interfaces(name, _levels(run, trials, log_value))
        found += _between_interfaces(name, _pairs(run, trials, name))
    return tuple(found)


def _within_interfaces(metric: str, levels: Sequence[Level]) -> Iterator[Effect]:
    for low, high, factor in _ordered(levels):
        estimated, blocks = _difference(high.values, low.values)
        if estimated is not None:
            yield _effect(factor, low.arm, high.arm, low.arm.cell.interface, metric, estimated, blocks)


def _between_interfaces(metric: str, pairs: Sequence[tuple[Level, Arm]]) -> Iterator[Effect]:
    """`pairs` are levels whose values are the log ratios of pairs, each with the pair's other arm."""
    others = {level.arm.id: other for level, other in pairs}
    for low, high, factor in _ordered([level for level, _ in pairs]):
        a_low, a_high = others[low.arm.id], others[high.arm.id]
        alike = _level(a_low, factor) == _level(low.arm, factor)
        if _factor(a_low, a_high) != factor or not alike:
            continue
        estimated, blocks = _difference(high.values, low.values)
        if estimated is not None:
            where = f"{low.arm.cell.interface} / {a_low.cell.interface}"
            effect = _effect(factor, low.arm, high.arm, where, metric, estimated, blocks)
            yield replace(effect, context=f"{effect.context} / {_context(a_low, factor)}")


def _pairs(run: Run, trials: Trials, name: str) -> list[tuple[Level, Arm]]:
    """The pairs of two interfaces; those of equal cells are one."""
    found: dict[tuple[Any, ...], tuple[Level, Arm]] = {}
    for group in run.info.plan.groups:
        arms = {arm.id: arm for arm in group.arms}
        shown = [metric for metric in metrics(group) if metric.name == name and metric.phase == "closed"]
        for metric, pair in product(shown, group.pairs):
            a, b = arms[pair.a], arms[pair.b]
            if a.cell.interface != b.cell.interface:
                seen = {(group.id, block): value for block, value in sample(trials, pair, metric).values.items()}
                level, _ = found.get((a.cell, b.cell, b.connections), (Level(b, {}), a))
                found[a.cell, b.cell, b.connections] = (Level(level.arm, {**level.values, **seen}), a)
    return list(found.values())


def _levels(run: Run, trials: Trials, log_value: Callable[[Trial], float | None]) -> list[Level]:
    """Arms with equal cells and connections in one group are one level, averaged."""
    found: dict[tuple[Any, ...], tuple[Arm, dict[Key, list[float]]]] = {}
    for group in run.info.plan.groups:
        for arm in group.arms:
            key = (arm.cell, arm.connections)
            _, values = found.setdefault(key, (arm, {}))
            for block, trial in trials.of(arm.id, "closed").items():
                if trial.valid and (value := log_value(trial)) is not None:
                    values.setdefault((group.id, block), []).append(value)
    return [
        Level(arm, {key: math.fsum(seen) / len(seen) for key, seen in values.items()}) for arm, values in found.values()
    ]


def _ordered(levels: Sequence[Level]) -> Iterator[tuple[Level, Level, str]]:
    """Each two levels that differ in exactly one factor, one of them that factor's baseline."""
    for one, other in combinations(levels, 2):
        factor = _factor(one.arm, other.arm)
        if factor is None:
            continue
        low, high = sorted((one, other), key=lambda level: _rank(level.arm, factor))
        siblings = [level for level in levels if _factor(level.arm, low.arm) == factor]
        if all(_rank(level.arm, factor) > _rank(low.arm, factor) for level in siblings):
            yield low, high, factor


def _factor(one: Arm, other: Arm) -> str | None:
    """The one factor in which two arms differ; None when anything else differs, or nothing."""
    if one.connections != other.connections or one.rate_rps != other.rate_rps:
        return None
    names = [field.name for field in fields(Cell) if getattr(one.cell, field.name) != getattr(other.cell, field.name)]
    return names[0] if len(names) == 1 and names[0] in FACTORS else None


def _rank(arm: Arm, factor: str) -> tuple[int, str]:
    """Baselines first: none before anything, a target's default client, the fewest workers."""
    level = getattr(arm.cell, factor)
    orders: dict[str, Sequence[str]] = {
        "pooling": ("none", "pool"),
        "cache": ("none", "memory", "redis"),
        "client": arm.target.clients,
        "middleware": arm.target.middleware,
        "gc": arm.target.gc,
    }
    order = orders.get(factor)
    if order is None:
        return int(level), ""
    return (order.index(level) if level in order else len(order)), str(level)


def _difference(high: Values, low: Values) -> tuple[Estimate | None, int]:
    """`high` over `low` with its blocks: paired where blocks are shared, else Welch; None under two blocks."""
    if shared := sorted(high.keys() & low.keys()):
        return (estimate([high[key] - low[key] for key in shared]) if len(shared) > 1 else None), len(shared)
    blocks = min(len(high), len(low))
    return (welch(list(high.values()), list(low.values())) if blocks > 1 else None), blocks


def _effect(factor: str, low: Arm, high: Arm, where: str, metric: str, estimated: Estimate, blocks: int) -> Effect:
    begin, end = estimated.interval()
    return Effect(
        factor=factor,
        low_level=_level(low, factor),
        high_level=_level(high, factor),
        scenario=low.cell.scenario,
        where=where,
        metric=metric,
        ratio=math.exp(estimated.mean),
        low=math.exp(begin),
        high=math.exp(end),
        blocks=blocks,
        context=_context(low, factor),
    )


def _level(arm: Arm, factor: str) -> str:
    return str(getattr(arm.cell, factor))


def _context(arm: Arm, factor: str) -> str:
    """The target and its server, and what else was set."""
    cell = asdict(arm.cell)
    others = {name: cell[name] for name in FACTORS if name != factor}
    words = [f"{name} {value}" for name, value in others.items() if value not in ("none", 1)]
    return ", ".join([f"{arm.cell.target} on {arm.cell.server}", *words])


def _log_throughput(trial: Trial) -> float | None:
    logs = [math.log(one.throughput_rps) for one in kept(trial) if one.throughput_rps > 0]
    return math.fsum(logs) / len(logs) if logs else None


def _log_cpu(trial: Trial) -> float | None:
    return math.log(trial.cpu_s_per_request) if trial.cpu_s_per_request else None
