"""`gatebench plan`: what a run would do, measuring nothing."""

from __future__ import annotations

from dataclasses import asdict

from rich.table import Table

from harness import units
from harness.cli.driving import driven, drivers
from harness.cli.elsewhere import Bind, On, bound, machines
from harness.cli.options import (
    AsJson,
    Baseline,
    Blocks,
    Filter,
    GeneratorCpus,
    Generators,
    Seed,
    ServerCpus,
    SuiteName,
    fresh_seed,
)
from harness.cli.output import answers, print_json
from harness.cli.revisions import Revisions, suite_at
from harness.suite import Arm, Options, Plan, block_times, build, run_times


def plan(
    suite: SuiteName,
    *,
    wanted: Filter = "",
    blocks: Blocks = None,
    baseline: Baseline = None,
    rev: Revisions = None,
    seed: Seed = None,
    server_cpus: ServerCpus = None,
    generators: Generators = None,
    generator_cpus: GeneratorCpus = None,
    on: On = None,
    bind: Bind = None,
    as_json: AsJson = False,
) -> None:
    """The groups, pairs, blocks and the time that a run will take, measuring nothing.

    Machines of --on are named, and not asked: `gatebench verify` does that.

    Examples: `gatebench plan quick`, `gatebench plan full --filter scenario=external-data`,
    `gatebench plan shop.toml --rev main --rev HEAD`, `gatebench plan quick --generators 4`.
    """
    definitions, chosen = suite_at(suite, rev or (), baseline)
    generator_machines, server_machine = machines(on or ())
    options = Options(
        seed=fresh_seed(seed),
        wanted=wanted,
        blocks=blocks,
        baseline=baseline,
        generators=generators,
        machines=generator_machines,
        server=server_machine,
        bind=bound(bind),
    )
    planned, _ = driven(build(definitions, chosen, options), server_cpus, generators, generator_cpus)
    if as_json:
        print_json(_as_json(planned))
        return
    console, times = answers(), run_times(planned)
    pairs = sum(len(group.pairs) for group in planned.groups)
    arms = sum(len(group.arms) for group in planned.groups)
    console.print(
        f"{planned.suite}: {pairs} pairs, {arms} arms in {len(planned.groups)} groups, "
        f"{planned.blocks} blocks of {planned.rounds} rounds, about {units.clock(times.total_s)}"
    )
    console.print(f"of it {units.clocks(times.by_name)}")
    console.print(f"driven by {drivers(planned)}", soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shared = [factor.name for factor in planned.factors if factor.on == "pair"]
    for column in ("group", "pair", "scenario", "a", "b", *shared, "load"):
        table.add_column(column)
    for group in planned.groups:
        for pair in group.pairs:
            a, b = group.arm(pair.a), group.arm(pair.b)
            table.add_row(
                group.id,
                pair.id + (" (A/A)" if pair.null else ""),
                group.scenario,
                a.label,
                b.label,
                *(str(a.cell.level(name)) for name in shared),
                ", ".join(filter(None, (_load(a), group.disturbance.words if group.disturbance else ""))),
            )
    console.print(table)


def _load(arm: Arm) -> str:
    return f"{arm.connections} connections" if arm.rate_rps is None else f"{arm.rate_rps:g} rps"


def _as_json(planned: Plan) -> dict[str, object]:
    return {
        "suite": planned.suite,
        "seed": planned.seed,
        "blocks": planned.blocks,
        "rounds": planned.rounds,
        "seconds": run_times(planned).total_s,
        "times": asdict(run_times(planned)),
        "generators": planned.generators,
        "machines": [machine.name for machine in planned.machines],
        "server": planned.server.name if planned.server else None,
        "bind": planned.bind,
        "groups": [
            {
                "group": group.id,
                "scenario": group.scenario,
                "phases": group.phases,
                "seconds_per_block": block_times(planned, group).total_s,
                "pairs": [asdict(pair) for pair in group.pairs],
                "arms": [{"arm": arm.id, "cell": arm.cell.keys, "connections": arm.connections} for arm in group.arms],
            }
            for group in planned.groups
        ],
    }
