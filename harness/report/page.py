"""report.html: one self-contained file that needs neither network nor server."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime

from harness import units
from harness.judge import metrics
from harness.judge.compare.conditions import SHARED
from harness.judge.compare.verdict import MIN_BLOCKS
from harness.record.conditions import of_servers
from harness.report import view, words
from harness.report.by_request import by_request
from harness.report.drawing import Drawn
from harness.report.facts import GENERATORS, described, method, shared, spent
from harness.report.figures import Study
from harness.report.slugs import slugs
from harness.report.templating import render
from harness.spec.loads import LOADS

CALIBRATION = "calibration"
"""What `gatebench calibrate` found, as the environment of a run quotes it."""
ELSEWHERE = ("forest", "generators")
"""Charts of the whole run that have a place of their own on the page."""
FEW = 8
"""So many answers open the page; of more, one a scenario."""


def report(study: Study, drawn: Sequence[Drawn]) -> str:
    """The page of a run."""
    info = study.run.info
    pairs = view.pair_views(study)
    first, more = _answers(pairs)
    anchors = slugs(f"scenario-{name}" for name in study.scenarios)
    return render(
        "report.html.j2",
        info=info,
        headline=words.headline(study),
        tuned=study.tuned,
        bracket=[value for end in ("low", "high") if (value := study.values.get(f"capacity/{end}/capacity_rps/open"))],
        strip=_strip(study),
        warnings=_warnings(study),
        beside=[words.told(study, pair) for pair in words.disturbed(study)],
        answers=first,
        more=more,
        filters=view.filters(study),
        pairs=pairs,
        forest=[pair for pair in pairs if pair.value],
        same=words.same_sides(study, study.pairs),
        axis=view.axis(study),
        overview=[each for each in drawn if each.chart.scenario is None and each.chart.name not in ELSEWHERE],
        driving=[each for each in drawn if each.chart.name == "generators"],
        scenarios=view.scenario_views(study, pairs),
        section={name: anchors[f"scenario-{name}"] for name in study.scenarios},
        by_scenario={name: [each for each in drawn if each.chart.scenario == name] for name in study.scenarios},
        by_request={name: by_request(study, name) for name in study.scenarios},
        missing={name: _missing(study, name) for name in study.scenarios},
        general=study.caveats(None),
        noise=[
            (metrics.label(noise.metric), study.values[f"noise/{number}/{noise.metric}/"], noise.excludes_one)
            for number, noise in enumerate(study.comparison.noise, 1)
        ],
        unfit=view.unfit(study.run.trials),
        trials=len(study.run.trials),
        unfit_episodes=view.unfit_episodes(study.run.episodes),
        episodes=len(study.run.episodes),
        method=method(study),
        spent=spent(study),
        shared=shared(study),
        generators=GENERATORS,
        machine=described({name: fact for name, fact in info.environment.items() if name != CALIBRATION}),
        instrument=described(info.environment.get(CALIBRATION) or {}),
        placement={name: ", ".join(f"CPU {cpu}" for cpu in cpus) or "none" for name, cpus in info.placement.items()},
        versions=dict(sorted(info.versions.items())),
        servers=list({arm.server.name: arm.server for arm in study.arms.values()}.values()),
        commands=commands(study),
        arms=view.arm_facts(study),
    )


def _answers(pairs: Sequence[view.PairView]) -> tuple[list[view.PairView], list[view.PairView]]:
    real = [pair for pair in pairs if not pair.null]
    if len(real) <= FEW:
        return real, []
    first = list({pair.scenario: pair for pair in reversed(real)}.values())
    kept = {pair.id for pair in first}
    return [pair for pair in real if pair.id in kept], [pair for pair in real if pair.id not in kept]


def _strip(study: Study) -> list[tuple[str, str]]:
    info = study.run.info
    fit = sum(trial.valid and trial.error is None for trial in study.run.trials)
    facts = [
        (_day(info.started), "UTC"),
        (f"{info.plan.blocks}", f"blocks of {units.plural(info.plan.rounds, 'round')}"),
        (f"{fit} of {len(study.run.trials)}", "trials valid"),
        (units.plural(study.cores, "core"), "for the servers"),
    ]
    if info.finished:
        facts.append((units.clock(_between(info.started, info.finished)), "in all"))
    if cpu := of_servers(info).get("cpu"):
        facts.append((words.shown(str(cpu)), ""))
    return facts


def _warnings(study: Study) -> list[str]:
    """What a reader must see before the first number."""
    info = study.run.info
    warnings = []
    planned = sum(len(group.arms) * len(group.phases) for group in info.plan.groups) * info.plan.blocks
    if info.finished is None:
        missing = f" {len(study.run.trials)} of {planned} planned trials are there." if planned else ""
        warnings.append(f"This run did not come to its end.{missing} gatebench run --resume goes on with it.")
    if study.run.torn:
        warnings.append("The last line of the records was torn and is left out.")
    if info.shared_cpu:
        warnings.append(f"In this run {SHARED}.")
    if study.pairs and not any(v.ratio for v in study.comparison.pairs):
        warnings.append("No pair has a valid result.")
    if study.run.episodes and not any(episode.valid for episode in study.run.episodes):
        warnings.append("No episode is valid.")
    if info.plan.blocks < MIN_BLOCKS and study.pairs:
        warnings.append(
            f"With {units.plural(info.plan.blocks, 'block')} there can be no verdict: at least {MIN_BLOCKS} are needed"
            + (", and one block has no interval." if info.plan.blocks == 1 else ".")
        )
    if any(noise.excludes_one for noise in study.comparison.noise if noise.metric == "throughput_rps"):
        warnings.append(
            "The A/A pair's throughput interval excludes 1, as only one in twenty should: doubt every verdict."
        )
    return warnings


def _missing(study: Study, scenario: str) -> list[str]:
    """What a scenario's section cannot show, and why."""
    groups = [group for group in study.run.info.plan.groups if group.scenario == scenario]
    phases = {phase for group in groups for phase in group.phases}
    missing = [
        f"No {phase} load was planned here, so {load.unplanned}."
        for phase, load in LOADS.items()
        if phase not in phases
    ]
    missing += [
        f"Nothing valid was measured under {phase} load."
        for phase in sorted(phases)
        if not any(t.valid and t.cell.scenario == scenario and t.phase == phase for t in study.run.trials)
    ]
    return missing


def commands(study: Study) -> list[str]:
    """What makes such a run, and reads this one again."""
    info = study.run.info
    asked = shlex.join(info.command) if info.command else f"gatebench run {shlex.quote(info.plan.suite)}"
    seeded = asked if "--seed" in asked or info.kind != "suite" else f"{asked} --seed {info.plan.seed}"
    run = shlex.quote(info.run)
    again = [seeded, f"gatebench report {run} --open"]
    return [*again, f"gatebench compare {run}"] if study.pairs else again


def _day(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _between(start: str, end: str) -> float:
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except ValueError:
        return 0.0
