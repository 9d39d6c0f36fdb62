"""A factor: a setting that is varied, defined as data.

Code of harness/ knows factors by their names in two cases only. The counts `workers` and `threads` decide how many
slots and CPUs an arm can use, and the diagnoses know what goes wrong with a client, a pool or a cache.
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
    """A setting that is varied, its levels, and how a target or a server learns its level."""

    __pydantic_config__ = STRICT

    name: Annotated[Name, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    levels: tuple[Level, ...] | Literal["count"]
    """In the order of reports. `count`: any whole number from 1 on, for `workers` and `threads` only."""
    default: Level
    on: Literal["pair", "side"]
    """Where a suite states it: on the pair, equal for both sides, or on each side."""
    by_scenario: bool = False
    """Whether it applies only in scenarios that list it; else wherever the target or the server takes it."""
    targets: dict[str, tuple[Level, ...]] = field(default_factory=dict)
    """Empty: every target takes it. Else the targets that do, with their levels; the first level is the default."""
    env: str = ""
    """The environment variable in which a target finds its level. Empty: servers get it, by `{NAME}` in their argv."""
    fills: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Level -> the arguments that take the place of an argv element which is just `{NAME}`."""
    words: dict[str, str] = field(default_factory=dict)
    """Level -> how reports call it; an empty text leaves it out. A level that is not here is called by name and level.
    A count has its noun, such as `worker`, under the key `one`."""
    effect: str = ""
    """How a report calls a change of level, with {low} and {high} for the two levels; empty: its name and both."""
    needs: dict[str, str] = field(default_factory=dict)
    """Level -> the service that it needs beside the targets: `redis`."""
    spares_upstream: tuple[Level, ...] = ()
    """Levels at which answers may come without a call of the upstream."""
    for_memory: bool = False
    """Whether its levels are about memory: tune tries the others on what it recommends."""

    @property
    def placeholder(self) -> str:
        """`{NAME}`, which stands for its level in a server's argv."""
        return f"{{{self.name}}}"

    @property
    def is_count(self) -> bool:
        """Whether its levels are whole numbers from 1 on."""
        return self.levels == "count"

    def levels_of(self, target: Target, server: Server) -> tuple[Level, ...]:
        """The levels that `target` on `server` can have; empty where neither takes it, and of a count."""
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
        varied = not self.by_scenario or self.name in scenario.factors
        return varied and bool(self.levels_of(target, server))

    def level(self, target: Target, server: Server, scenario: Scenario, stated: Level | None = None) -> Level:
        """The level of a cell: the stated one, else the default; `none` where the factor does not apply."""
        if not self.applies(target, server, scenario):
            return NONE
        return self.default_of(target) if stated is None else stated

    def rank(self, level: Level, target: Target) -> tuple[int, str]:
        """A key that sorts levels, the baseline first: `none`, the default of `target`, then the others in their order.

        Counts sort by number.
        """
        if self.levels == "count":
            return int(level), ""
        order = dict.fromkeys((NONE, self.default_of(target), *self.levels))
        return list(order).index(level) if level in order else len(order), str(level)

    def say(self, level: Level) -> str:
        """A level in the words of a report; empty where reports leave it out."""
        if self.is_count:
            return units.plural(int(level), self.words.get("one", self.name))
        return self.words.get(str(level), "" if level == NONE else f"{self.name} {level}")

    def say_effect(self, low: str, high: str) -> str:
        """How a report calls the change from level `low` to level `high`."""
        return (self.effect or f"{self.name} {{high}} instead of {{low}}").format(low=low, high=high)

    def filling(self, level: Level) -> Level:
        """The level that is put into a server's argv, which is the default where the factor does not apply."""
        return level if self.levels != "count" and level in self.levels else self.default

    def tells(self, level: Level) -> bool:
        """Whether the target's environment states `level`, which must be a level of this factor."""
        return bool(self.env) and self.levels != "count" and level in self.levels

    def _narrowed(self, target: Target) -> tuple[Level, ...]:
        return target.levels.get(self.name) or self.targets.get(target.family, ())


def by_name(factors: Iterable[Factor]) -> dict[str, Factor]:
    """Factors by name, in their order."""
    return {factor.name: factor for factor in factors}


def problems(factor: Factor, reserved: frozenset[str]) -> Iterator[str]:
    """What is wrong with a definition by itself, each with its key; `reserved` are names that mean something else."""
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
