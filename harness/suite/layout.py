"""Lays out a run: from definitions, a suite and options to groups of arms, and the order of each round."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import count, groupby, islice

from harness.errors import DefinitionError, UsageError
from harness.spec.loads import Closed, Load, Open, Phase
from harness.spec.machines import Machine
from harness.suite.disturbances import Disturbance
from harness.suite.elsewhere import refuse_elsewhere
from harness.suite.factors import Factor
from harness.suite.model import Cell, Definitions, PairDefinition, Side, Suite
from harness.suite.plan import Arm, Group, Pair, Plan
from harness.suite.pod import LEAST_PERIODS, PERIOD_S, Pod
from harness.suite.pods import pod_words, unshared
from harness.suite.subjects import Level, Scenario, Server, Target

SHORT = 10
"""Characters by which a commit is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a command line may say beside the suite."""

    seed: int
    wanted: str = ""
    """A filter, see `matches`."""
    baseline: str | None = None
    """Name of a target that takes the place of every pair's a, on the server and at the levels of its b."""
    blocks: int | None = None
    width: float | None = None
    budget_s: float | None = None
    generators: int | None = None
    machines: tuple[Machine, ...] = ()
    """Of the generators, in turns; empty: as the suite says."""
    server: Machine | None = None
    """Of the servers; None: as the suite says."""
    bind: str | None = None
    """What servers listen on; None: as the suite says."""
    pod: Pod | None = None
    """In which every server runs, whatever the suite says of pods."""


def build(definitions: Definitions, suite: Suite, options: Options) -> Plan:
    """Lay out what a run of `suite` will do; raises `UsageError` when the filter leaves nothing."""
    baseline, wanted = options.baseline, options.wanted
    pairs = [pair if baseline is None else _against(pair, baseline) for pair in suite.pairs]
    if baseline is not None:
        _check_baseline(definitions, pairs, baseline)
    arms: list[tuple[Pair, Arm, Arm]] = []
    disturbances: dict[str, Disturbance | None] = {}
    for number, definition in enumerate(pairs, 1):
        a, b = (
            _arm(definitions, definition, side, f"p{number}{letter}", suite, options.pod or side.pod or suite.pod)
            for letter, side in _sides(definition)
        )
        pair = Pair(id=f"p{number}", a=a.id, b=b.id, null=a.cell == b.cell and a.target == b.target)
        if matches(wanted, a, b):
            arms.append((pair, a, b))
            disturbances[pair.id] = definition.disturbance
    if not arms:
        message = f"--filter {wanted!r} leaves no pair of suite {suite.name}" if wanted else f"{suite.name}: no pair"
        raise UsageError(message)
    elsewhere = suite.machines.with_options(options.machines, options.server, options.bind)
    generators = options.generators or max(len(elsewhere.generators), suite.generators)
    _refuse_together(suite.name, [arm for _, *both in arms for arm in both], disturbances, generators)
    refuse_elsewhere(
        suite.name,
        [arm for _, *both in arms for arm in both],
        elsewhere,
        options.generators,
        disturbed=any(disturbances.values()),
    )
    return Plan(
        suite=suite.name,
        about=suite.about,
        seed=options.seed,
        groups=tuple(_groups(arms, suite.group_arms, disturbances, definitions.scenarios)),
        blocks=options.blocks or suite.blocks,
        rounds=suite.rounds,
        slice_s=slice_s([arm for _, *both in arms for arm in both], suite.slice_s),
        open_slice_s=slice_s([arm for _, *both in arms for arm in both], suite.open_slice_s),
        margin=suite.margin,
        arrivals=suite.arrivals,
        generators=generators,
        machines=elsewhere.generators,
        server=elsewhere.server,
        bind=elsewhere.address,
        upstream=suite.upstream,
        thresholds=suite.thresholds,
        factors=tuple(definitions.factors.values()),
        width=options.width,
        budget_s=options.budget_s,
        file=definitions.file,
    )


def _refuse_together(
    suite: str, arms: Iterable[Arm], disturbances: Mapping[str, Disturbance | None], generators: int
) -> None:
    """Raise `UsageError` where what is asked for does not go together."""
    if generators > 1 and any(disturbances.values()):
        raise UsageError(f"{suite}: a disturbance is watched by one generator: leave out --generators {generators}")
    for arm in arms:
        if arm.cell.pod is not None and arm.target.url:
            raise UsageError(f"{suite}: {arm.target.name} runs already, and cannot be put into a pod: leave that out")
        if arm.cell.pods > 1 and (problem := unshared(arm.cell)):
            raise UsageError(f"{suite}: {arm.cell.target} on {arm.cell.server}: {problem}")


def matches(wanted: str, a: Arm, b: Arm) -> bool:
    """Whether a pair passes a filter such as `scenario=json,server=uvicorn*,workers=4`.

    Every comma-separated condition must hold for one of the sides at least; values are shell patterns. Raises
    `UsageError` on a key that no cell has.
    """
    for condition in filter(None, (part.strip() for part in wanted.split(","))):
        key, equals, pattern = condition.partition("=")
        sides = [arm.cell.keys | {"connections": arm.connections} for arm in (a, b)]
        if not equals or key not in sides[0]:
            message = f"--filter {condition!r}: must be KEY=PATTERN with KEY one of {', '.join(sorted(sides[0]))}"
            raise UsageError(message)
        if not any(fnmatchcase(str(side[key]), pattern) for side in sides):
            return False
    return True


def rounds(plan: Plan, group: Group, block: int, phase: Phase) -> tuple[tuple[int, ...], ...]:
    """For each round: indices into the group's arms. Pairs are shuffled, and so are the two arms of each pair."""
    place = {arm.id: index for index, arm in enumerate(group.arms)}
    neighbours = [[place[pair.a], place[pair.b]] for pair in group.pairs] or [[index] for index in place.values()]
    order = []
    for number in range(group.arms[0].load(phase).rounds(plan)):
        chance = random.Random(f"{plan.seed}/{group.id}/{block}/{phase}/{number}")
        chance.shuffle(neighbours)
        for arms in neighbours:
            chance.shuffle(arms)
        order.append(tuple(index for arms in neighbours for index in arms))
    return tuple(order)


def cell(
    definitions: Definitions,
    target: Target,
    server: Server,
    scenario: Scenario,
    levels: Mapping[str, Level] | None = None,
) -> Cell:
    """The cell at `levels`. Other factors stand at their defaults, and those that do not apply at "none"."""
    stated, server = levels or {}, definitions.serving(target, server)
    counts = {"workers": 1, "threads": 1}
    chosen: list[tuple[str, Level]] = []
    for factor in definitions.factors.values():
        level = stated.get(factor.name)
        if not factor.is_count:
            chosen.append((factor.name, factor.level(target, server, scenario, level)))
        elif factor.name == "workers" or server.slots == "threads":
            counts[factor.name] = int(factor.default if level is None else level)
    return Cell(
        target=target.name,
        interface=target.interface,
        server=server.name,
        scenario=scenario.name,
        levels=tuple(chosen),
        **counts,
    )


def slice_s(arms: Iterable[Arm], stated_s: float) -> float:
    """Least seconds of a slice: what a suite states, and where an arm has a quota, so many of its periods."""
    return max(stated_s, LEAST_PERIODS * PERIOD_S) if any(arm.cell.cpus for arm in arms) else stated_s


def own_words(factors: Iterable[Factor], cell: Cell, server: Server) -> tuple[str, ...]:
    """What is a side's own, in words: counts first, then the other levels in the order of the factors, then its pod."""
    own = sorted((factor for factor in factors if factor.on == "side"), key=lambda factor: not factor.is_count)
    texts = [
        factor.say(cell.level(factor.name)) for factor in own if not factor.is_count or server.slots == factor.name
    ]
    return (*(text for text in texts if text), *pod_words(cell))


def single(definitions: Definitions, name: str, cell: Cell, loads: tuple[Load, ...]) -> Arm:
    """The arm `name` of `cell`, without a pair."""
    target = definitions.targets[cell.target]
    server = definitions.serving(target, definitions.servers[cell.server])
    return Arm(
        id=name,
        cell=cell,
        own=(*filter(None, (target.commit[:SHORT],)), *own_words(definitions.factors.values(), cell, server)),
        loads=loads,
        target=target,
        server=server,
        scenario=definitions.scenarios[cell.scenario],
    )


def loads_of(pair: PairDefinition, scenario: Scenario, suite: Suite) -> tuple[Load, ...]:
    """The loads of both sides of a pair, in the order of the phases; a pair with a rate has an open load only."""
    connections = pair.connections or scenario.connections
    closed = Closed(connections=connections)
    opened = Open(connections=connections, rate_rps=pair.rate_rps, arrivals=suite.arrivals, when_full=suite.when_full)
    by_phase: dict[Phase, Load] = {"closed": closed, "open": opened}
    return (opened,) if pair.rate_rps is not None else tuple(by_phase[phase] for phase in suite.phases)


def _sides(pair: PairDefinition) -> Iterator[tuple[str, Side]]:
    yield "a", pair.a
    yield "b", pair.b


def _arm(
    definitions: Definitions, definition: PairDefinition, side: Side, name: str, suite: Suite, pod: Pod | None
) -> Arm:
    target, server = definitions.targets[side.target], definitions.servers[side.server]
    scenario = definitions.scenarios[definition.scenario]
    if target.url and pod:
        raise UsageError(f"{target.name} runs already at {target.url}: no pod can be put around it")
    own_cell = cell(definitions, target, server, scenario, dict(definition.levels + side.levels)).within(pod)
    own_cell = replace(own_cell, pods=side.pods)
    return replace(single(definitions, name, own_cell, loads_of(definition, scenario, suite)), pair=name[:-1])


def _groups(
    arms: Iterable[tuple[Pair, Arm, Arm]],
    most_arms: int,
    disturbances: Mapping[str, Disturbance | None],
    scenarios: Mapping[str, Scenario],
) -> Iterator[Group]:
    """Consecutive pairs of one scenario, the same phases and the same disturbance, as many as a group may hold."""
    numbers = count(1)

    def alike(member: tuple[Pair, Arm, Arm]) -> tuple[str, tuple[Phase, ...], Disturbance | None]:
        pair, arm, _ = member
        return arm.cell.scenario, tuple(load.kind for load in arm.loads), disturbances[pair.id]

    for (scenario, _, disturbance), members in groupby(arms, key=alike):
        while chunk := list(islice(members, max(1, most_arms // 2))):
            yield Group(
                id=f"g{next(numbers)}",
                scenario=scenario,
                arms=tuple(arm for _, a, b in chunk for arm in (a, b)),
                pairs=tuple(pair for pair, _, _ in chunk),
                disturbance=disturbance,
                neighbour=scenarios[disturbance.asks] if disturbance and disturbance.asks else None,
            )


def _against(pair: PairDefinition, baseline: str) -> PairDefinition:
    return replace(pair, a=replace(pair.b, target=baseline))


def _check_baseline(definitions: Definitions, pairs: Iterable[PairDefinition], baseline: str) -> None:
    if baseline not in definitions.targets:
        message = f"--baseline {baseline}: no such target; known are {', '.join(sorted(definitions.targets))}"
        raise UsageError(message)
    interface = definitions.targets[baseline].interface
    problems = [
        f"--baseline {baseline} is {interface}; pair {number} has {pair.b.target}, which is not"
        for number, pair in enumerate(pairs, 1)
        if definitions.targets[pair.b.target].interface != interface
    ]
    if problems:
        raise DefinitionError(problems)
