"""A factor: a setting that is varied, defined as data.

Nothing in harness/ knows a factor by its name, but for the counts `workers` and `threads`, whose meaning to slots and
CPU is known, and the diagnoses, which know what a client, a pool or a cache does wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from harness import units
from harness.strict import STRICT
from harness.suite.subjects import Level, Name, Scenario, Server, Target

NONE = "none"
"""The level of a factor that does not apply."""
COUNTS = ("workers", "threads")
"""The factors whose levels are whole numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A setting that is varied, its levels, and how target or server are told."""

    __pydantic_config__ = STRICT

    name: Annotated[Name, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    levels: tuple[Level, ...] | Literal["count"]
    """In their order; `count`: any whole number from 1 on, which only `workers` and `threads` are."""
    default: Level
    on: Literal["pair", "side"]
    """Where a suite states it: equal for both sides of a pair, or each side's own."""
    by_scenario: bool = False
    """Whether it applies only where the scenario lists it, rather than wherever target or server take it."""
    targets: dict[str, tuple[Level, ...]] = field(default_factory=dict)
    """Where not every target takes it: those that do, with their levels, the first of which is the default."""
    env: str = ""
    """The environment variable that tells the target, if one does. Else the server is told: `{NAME}` in its argv."""
    fills: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Level -> the arguments that an element which is just `{NAME}` becomes."""
    words: dict[str, str] = field(default_factory=dict)
    """Level -> how reports call it, empty to pass over it; else the name and the level. Of a count its noun: `worker`
    under the key `one`."""
    effect: str = ""
    """What it brings, in a report's words, with {low} and {high} for two levels; empty: its name and the levels."""
    needs: dict[str, str] = field(default_factory=dict)
    """Level -> the service beside the targets that it needs: `redis`."""
    spares_upstream: tuple[Level, ...] = ()
    """Levels at which answers may come without a call of the upstream."""

    @property
    def placeholder(self) -> str:
        """What stands for it in a server's argv."""
        return f"{{{self.name}}}"

    @property
    def is_count(self) -> bool:
        """Whether its levels are whole numbers from 1 on."""
        return self.levels == "count"

    def levels_of(self, target: Target, server: Server) -> tuple[Level, ...]:
        """The levels that `target` on `server` can have; none where neither takes it."""
        if self.levels == "count":
            return ()
        if any(self.placeholder in element for element in server.argv):
            return self.levels
        if not self.env:
            return ()
        return self._narrowed(target) if self._narrowed(target) or self.targets else self.levels

    def default_of(self, target: Target) -> Level:
        """The level of `target` where a suite says nothing."""
        return self._narrowed(target)[0] if self._narrowed(target) else self.default

    def applies(self, target: Target, server: Server, scenario: Scenario) -> bool:
        """Whether `target` on `server` takes it, in a scenario that varies it."""
        wanted = not self.by_scenario or self.name in scenario.factors
        return wanted and bool(self.levels_of(target, server))

    def level(self, target: Target, server: Server, scenario: Scenario, asked: Level | None = None) -> Level:
        """The level of a cell: `asked` or the default where it applies, `none` elsewhere."""
        if not self.applies(target, server, scenario):
            return NONE
        return self.default_of(target) if asked is None else asked

    def rank(self, level: Level, target: Target) -> tuple[int, str]:
        """What sorts levels, the baseline first: `none`, then the target's default, then their order; fewest first."""
        if self.levels == "count":
            return int(level), ""
        order = dict.fromkeys((NONE, self.default_of(target), *self.levels))
        return list(order).index(level) if level in order else len(order), str(level)

    def say(self, level: Level) -> str:
        """A level in the words of a report; empty where there is nothing to say."""
        if self.is_count:
            return units.plural(int(level), self.words.get("one", self.name))
        return self.words.get(str(level), "" if level == NONE else f"{self.name} {level}")

    def say_effect(self, low: str, high: str) -> str:
        """What going from level `low` to `high` is called."""
        return (self.effect or f"{self.name} {{high}} instead of {{low}}").format(low=low, high=high)

    def filling(self, level: Level) -> Level:
        """What stands in a server's argv: the default where it does not apply, as an argument must stand there."""
        return level if self.levels != "count" and level in self.levels else self.default

    def tells(self, level: Level) -> bool:
        """Whether a target is told of `level`: not of one that the factor does not have."""
        return bool(self.env) and self.levels != "count" and level in self.levels

    def _narrowed(self, target: Target) -> tuple[Level, ...]:
        return target.levels.get(self.name) or self.targets.get(target.name, ())


def by_name(factors: Iterable[Factor]) -> dict[str, Factor]:
    """Factors by name, in their order."""
    return {factor.name: factor for factor in factors}


def problems(factor: Factor, reserved: frozenset[str]) -> Iterator[str]:
    """What is wrong with a definition in itself; `reserved` are names that mean something else."""
    if factor.levels == "count":
        if factor.name not in COUNTS:
            yield "levels: 'count' is for workers and threads only; list the levels"
        return
    if factor.name in reserved or factor.name in COUNTS:
        yield f"name: {factor.name!r} is a key of cell, pair or load; call the factor something else"
    if len(set(factor.levels)) != len(factor.levels) or not factor.levels:
        yield "levels: one at least, and no two alike"
    yield from _stray_levels(factor, factor.levels)
    if factor.fills and (missing := {str(level) for level in factor.levels} - set(factor.fills)):
        yield f"fills: says nothing of {', '.join(sorted(missing))}"
    if set(re.findall(r"\{[^}]*\}", factor.effect)) - {"{low}", "{high}"}:
        yield "effect: only {low} and {high} may stand in braces"


def _stray_levels(factor: Factor, levels: tuple[Level, ...]) -> Iterator[str]:
    """Keys of the definition that name a level which is not among `levels`."""
    lists: tuple[tuple[str, Iterable[Level]], ...] = (
        ("default", (factor.default,)),
        *((f"targets.{name}", narrowed) for name, narrowed in factor.targets.items()),
        ("spares_upstream", factor.spares_upstream),
    )
    for key, listed in lists:
        yield from (f"{key}: {level!r} is none of the levels" for level in listed if level not in levels)
    texts = {str(level) for level in levels}  # a key of a TOML table is a string
    for key, table in (("fills", factor.fills), ("words", factor.words), ("needs", factor.needs)):
        yield from (f"{key}.{level}: is none of the levels" for level in table if level not in texts)
