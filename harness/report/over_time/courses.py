"""Runs that can be seen as a series: of one suite on one machine, and the ratios that they share."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness import units
from harness.judge.compare.runs import compared
from harness.record import RunInfo
from harness.record.conditions import changes, other_machine, sittings
from harness.report import words
from harness.suite import NONE, Arm, Factor, Pair
from harness.suite.layout import SHORT

METRIC = "throughput_rps"


@dataclass(frozen=True, slots=True)
class Past:
    """A run that came to something: its run.json and its summary."""

    info: RunInfo
    table: Sequence[Mapping[str, str]]
    report: str
    """Where its report is, relative to the index; empty: not built."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of a pair in one run."""

    run: int
    value: float
    low: float | None
    high: float | None
    blocks: int


@dataclass(frozen=True, slots=True)
class Course:
    """A pair in the runs that have it."""

    pair: str
    """Its scenario with what both sides share."""
    about: str
    """Its two sides."""
    ratios: tuple[Ratio, ...]


def grouped(runs: Sequence[Past]) -> list[list[Past]]:
    """Runs of one suite on one machine together, oldest first, where there are two or more.

    Runs whose servers shared a CPU with the load generator are left out: their figures cannot be trusted.
    """
    groups: list[list[Past]] = []
    for run in sorted(runs, key=lambda run: run.info.started):
        if run.info.kind != "suite" or run.info.shared_cpu:
            continue
        home = next((group for group in groups if _belongs(run, group[0])), None)
        if home is None:
            groups.append([run])
        else:
            home.append(run)
    return [group for group in groups if len(group) > 1]


def _belongs(run: Past, first: Past) -> bool:
    """Whether a run is of the suite and the machine of another."""
    return run.info.plan.suite == first.info.plan.suite and not other_machine((first.info, run.info))


def courses(runs: Sequence[Past]) -> Iterator[Course]:
    """The pairs that two of the runs or more have, as the last of these calls them."""
    known = set.intersection(*({factor.name for factor in run.info.plan.factors} for run in runs))
    ratios: dict[Hashable, list[Ratio]] = {}
    names: dict[Hashable, tuple[str, str]] = {}
    for number, run in enumerate(runs):
        rows = _rows(run.table)
        for same, pair in _pairs(run.info, known).items():
            if pair.id in rows:
                ratios.setdefault(same, []).append(_ratio(number, rows[pair.id]))
                names[same] = _names(run.info, pair)
    yield from (Course(*names[same], tuple(found)) for same, found in ratios.items() if len(found) > 1)


def news(before: RunInfo, now: RunInfo) -> Iterator[str]:
    """What differs between two runs on one machine: commits and code of targets, versions."""
    was, stands = sittings(before)[0], sittings(now)[0]
    moved = {name for name, commit in was.commits.items() if stands.commits.get(name, commit) != commit}
    for name in sorted(moved):
        yield f"{name} at {was.commits[name][:SHORT]} → {stands.commits[name][:SHORT]}"
    for change, (old, new) in changes(was, stands).items():
        kind, _, what = change.partition(": ")
        if kind == "code" and what not in moved:
            yield f"code of {what} {old[:SHORT]} → {new[:SHORT]}"
        elif kind == "versions":
            yield f"{what} {old} → {new}"


def _pairs(info: RunInfo, known: set[str]) -> dict[Hashable, Pair]:
    """The pairs of a run by what they compare, and their number among those that are alike."""
    unknown = [factor for factor in info.plan.factors if factor.name not in known]
    pairs: dict[Hashable, Pair] = {}
    for group in info.plan.groups:
        arms = {arm.id: arm for arm in group.arms}
        for pair in group.pairs:
            sides = tuple(_side(arms[side], unknown) for side in (pair.a, pair.b))
            alike = 0
            while (sides, pair.null, alike) in pairs:
                alike += 1
            pairs[sides, pair.null, alike] = pair
    return pairs


def _side(arm: Arm, unknown: Sequence[Factor]) -> Hashable:
    return compared(arm, unknown), arm.connections, arm.rate_rps


def _rows(table: Sequence[Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The throughput ratios of a summary that has one, by pair."""
    return {row["id"]: row for row in table if row["kind"] == "pair" and row["metric"] == METRIC and row["value"]}


def _ratio(number: int, row: Mapping[str, str]) -> Ratio:
    low, high = (float(row[end]) if row[end] != "" else None for end in ("low", "high"))
    return Ratio(number, float(row["value"]), low, high, int(float(row["blocks"] or 0)))


def _names(info: RunInfo, pair: Pair) -> tuple[str, str]:
    """What a pair is called: its scenario with what both sides share, and the two sides."""
    arms = {arm.id: arm for group in info.plan.groups for arm in group.arms}
    a, b = arms[pair.a], arms[pair.b]
    levels = [(factor, b.cell.level(factor.name)) for factor in info.plan.factors if factor.on == "pair"]
    shared = [factor.say(level) for factor, level in levels if level != NONE]
    parts = [words.shown(b.cell.scenario), *filter(None, shared), units.plural(b.connections, "connection")]
    return ", ".join(parts) + (", A/A" if pair.null else ""), words.shown(f"{b.label} against {a.label}")
