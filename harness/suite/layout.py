"""(definitions, filters, seed) -> groups, blocks, rounds; pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from harness.errors import DefinitionError, UsageError
from harness.suite.model import Cell, Definitions, PairDefinition, Phase, Scenario, Server, Side, Suite, Target
from harness.suite.plan import Arm, Group, Pair, Plan

DEFAULT_THREADS = 8
"""Of a server that has threads, where a suite says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a call may say beside the suite."""

    seed: int
    wanted: str = ""
    """A filter, see `matches`."""
    baseline: str | None = None
    """A target's name: each pair's b is the candidate, its a becomes this on the same server, with the same factors."""
    blocks: int | None = None
    width: float | None = None
    budget_s: float | None = None


def build(definitions: Definitions, suite: Suite, options: Options) -> Plan:
    """Lay out what a run of `suite` will do; raises `UsageError` when the filter leaves nothing."""
    baseline, wanted = options.baseline, options.wanted
    chosen = [pair if baseline is None else _against(pair, baseline) for pair in suite.pairs]
    if baseline is not None:
        _check_baseline(definitions, chosen, baseline)
    arms: list[tuple[Pair, Arm, Arm]] = []
    for number, definition in enumerate(chosen, 1):
        a, b = (_arm(definitions, definition, side, f"p{number}{letter}") for letter, side in _sides(definition))
        pair = Pair(id=f"p{number}", a=a.id, b=b.id, null=a.cell == b.cell and a.target == b.target)
        if matches(wanted, a, b):
            arms.append((pair, a, b))
    if not arms:
        message = f"--filter {wanted!r} leaves no pair of suite {suite.name}" if wanted else f"{suite.name}: no pair"
        raise UsageError(message)
    return Plan(
        suite=suite.name,
        about=suite.about,
        seed=options.seed,
        groups=tuple(_groups(arms, suite)),
        blocks=options.blocks or suite.blocks,
        rounds=suite.rounds,
        slice_s=suite.slice_s,
        open_slice_s=suite.open_slice_s,
        margin=suite.margin,
        arrivals=suite.arrivals,
        upstream=suite.upstream,
        thresholds=suite.thresholds,
        width=options.width,
        budget_s=options.budget_s,
    )


def matches(wanted: str, a: Arm, b: Arm) -> bool:
    """Whether a pair passes a filter such as `scenario=json,server=uvicorn*,workers=4`.

    Every comma-separated condition must hold for one of the sides at least; values are shell patterns. Raises
    `UsageError` on a key that no cell has.
    """
    for condition in filter(None, (part.strip() for part in wanted.split(","))):
        key, equals, pattern = condition.partition("=")
        keys = {*Cell.__slots__, "connections"}
        if not equals or key not in keys:
            message = f"--filter {condition!r}: must be KEY=PATTERN with KEY one of {', '.join(sorted(keys))}"
            raise UsageError(message)
        values = {_value(arm, key) for arm in (a, b)}
        if not any(fnmatchcase(value, pattern) for value in values):
            return False
    return True


def rounds(plan: Plan, group: Group, block: int, phase: Phase) -> tuple[tuple[int, ...], ...]:
    """For each round the indices into the group's arms: pairs shuffled, then each pair's two, which stay adjacent."""
    place = {arm.id: index for index, arm in enumerate(group.arms)}
    units = [[place[pair.a], place[pair.b]] for pair in group.pairs] or [[index] for index in place.values()]
    order = []
    for number in range(plan.rounds if phase == "closed" else 1):
        chance = random.Random(f"{plan.seed}/{group.id}/{block}/{phase}/{number}")
        chance.shuffle(units)
        for unit in units:
            chance.shuffle(unit)
        order.append(tuple(index for unit in units for index in unit))
    return tuple(order)


def cell(  # noqa: PLR0913 - a cell has as many settings as there are factors
    target: Target,
    server: Server,
    scenario: Scenario,
    *,
    workers: int = 1,
    threads: int | None = None,
    pooling: str = "pool",
    cache: str = "none",
    client: str | None = None,
    middleware: str | None = None,
    gc: str = "none",
) -> Cell:
    """The cell with those factors; a factor that does not matter in the scenario stands at "none"."""
    calls = scenario.upstream_calls > 0
    layered = "middleware" in scenario.factors
    default_layer = next((level for level in target.middleware if level != "none"), "none")
    return Cell(
        target=target.name,
        interface=target.interface,
        server=server.name,
        scenario=scenario.name,
        workers=workers,
        threads=(threads or DEFAULT_THREADS) if server.slots == "threads" else 1,
        pooling=pooling if calls else "none",
        cache=cache if "cache" in scenario.factors else "none",
        client=(client or target.clients[0]) if calls else "none",
        middleware=(middleware or default_layer) if layered else (middleware or "none"),
        gc=gc,
    )


def _sides(pair: PairDefinition) -> Iterator[tuple[str, Side]]:
    yield "a", pair.a
    yield "b", pair.b


def _arm(known: Definitions, pair: PairDefinition, side: Side, name: str) -> Arm:
    target, server, scenario = known.targets[side.target], known.servers[side.server], known.scenarios[pair.scenario]
    return Arm(
        id=name,
        cell=cell(
            target,
            server,
            scenario,
            workers=pair.workers,
            threads=side.threads,
            pooling=pair.pooling,
            cache=pair.cache,
            client=side.client,
            middleware=side.middleware,
            gc=side.gc,
        ),
        connections=pair.connections or scenario.connections,
        rate_rps=pair.rate_rps,
        target=target,
        server=server,
        scenario=scenario,
    )


def _groups(arms: Iterable[tuple[Pair, Arm, Arm]], suite: Suite) -> Iterator[Group]:
    """Consecutive pairs of one scenario and the same phases, as many as a group may hold."""
    pending: list[tuple[Pair, Arm, Arm]] = []
    number = 0

    def phases(arm: Arm) -> tuple[Phase, ...]:
        return suite.phases if arm.rate_rps is None else ("open",)

    def flush() -> Group:
        members = tuple(arm for _, a, b in pending for arm in (a, b))
        return Group(
            id=f"g{number}",
            scenario=members[0].cell.scenario,
            arms=members,
            pairs=tuple(pair for pair, _, _ in pending),
            phases=phases(members[0]),
        )

    for pair, a, b in arms:
        if pending and (
            pending[0][1].cell.scenario != a.cell.scenario
            or phases(pending[0][1]) != phases(a)
            or 2 * len(pending) + 2 > suite.group_arms
        ):
            number += 1
            yield flush()
            pending = []
        pending.append((pair, a, b))
    number += 1
    yield flush()


def _against(pair: PairDefinition, baseline: str) -> PairDefinition:
    return replace(pair, a=replace(pair.b, target=baseline))


def _check_baseline(known: Definitions, pairs: Iterable[PairDefinition], baseline: str) -> None:
    if baseline not in known.targets:
        message = f"--baseline {baseline}: no such target; known are {', '.join(sorted(known.targets))}"
        raise UsageError(message)
    interface = known.targets[baseline].interface
    problems = [
        f"--baseline {baseline} is {interface}; pair {number} has {pair.b.target}, which is not"
        for number, pair in enumerate(pairs, 1)
        if known.targets[pair.b.target].interface != interface
    ]
    if problems:
        raise DefinitionError(problems)


def _value(arm: Arm, key: str) -> str:
    return str(arm.connections if key == "connections" else getattr(arm.cell, key))
