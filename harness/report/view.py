"""What the page shows of a run, as plain values for its template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness import units
from harness.judge.verdicts import Caveat, PairVerdict
from harness.record import Episode, Trial
from harness.report import words
from harness.report.figures import Study, Value
from harness.report.figures.axis import log_ticks, place, reach
from harness.report.figures.rows import why
from harness.suite import NONE, PHASES, Arm, Scenario

ALWAYS_FILTERED = ("scenario", "interface", "server")
"""What rows are chosen by wherever there is a choice; a factor is left out where one of these, or another, tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmView:
    """An arm of a pair, and what its trials were."""

    arm: Arm
    setup: str
    own: str
    throughput: Value | None
    bound: str
    of_ceiling: Value | None
    validity: str
    unfit: tuple[str, ...]
    """Why trials of it may not be used, each reason once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A ratio on the shared axis of the forest, in percent of its width."""

    point: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """A row of the forest."""

    id: str
    scenario: str
    condition: str
    name: str
    null: bool
    a: ArmView
    b: ArmView
    value: Value | None
    verdict: str
    symbol: str
    reasons: tuple[str, ...]
    """What stands below the verdict: what would settle it, or why an A/A pair has none."""
    track: Track | None
    sentence: str
    factor: str
    """The ratio with the side on top that serves more, so never below 1; empty where there is none."""
    latency: Value | None
    latency_name: str
    cpu: Value | None
    caveats: tuple[tuple[str, Caveat], ...]
    """Each with the name of the arm that it is about; empty where it is about the pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The forest's shared axis: ticks and bands in percent of its width."""

    ticks: tuple[tuple[float, str], ...]
    unity: float
    """Where 1 lies."""
    margin: tuple[float, float]
    noise: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioView:
    """A scenario's section."""

    scenario: Scenario
    pairs: tuple[PairView, ...]
    validity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A thing to choose rows by, and its levels."""

    name: str
    label: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Trials of an arm that may not be used for the same reasons."""

    arm: str
    what: str
    """error or invalid."""
    reasons: tuple[str, ...]
    trials: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many trials these are."""
        return len(self.trials)


def pair_views(study: Study) -> list[PairView]:
    """The rows of the forest, in the order of the suite."""
    limits = reach(study)
    return [_pair(study, pair, limits) for pair in study.pairs]


def scenario_views(study: Study, pairs: Sequence[PairView]) -> list[ScenarioView]:
    """The sections, in the order of the suite."""
    return [
        ScenarioView(
            scenario=scenario,
            pairs=tuple(pair for pair in pairs if pair.scenario == name),
            validity=_validity([trial for trial in study.run.trials if trial.cell.scenario == name]),
        )
        for name, scenario in study.scenarios.items()
    ]


def axis(study: Study) -> Axis:
    """The axis that all rows of the forest share."""
    noise = next((noise for noise in study.comparison.noise if noise.metric == "throughput_rps"), None)
    return axis_of(reach(study), study.run.info.plan.margin, (noise.low, noise.high) if noise else None)


def axis_of(limits: tuple[float, float], margin: float, noise: tuple[float, float] | None) -> Axis:
    """An axis between `limits`, logarithmic, with its bands."""
    return Axis(
        ticks=tuple((_place(tick, limits), words.times(tick)) for tick in log_ticks(*limits)),
        unity=_place(1, limits),
        margin=(_place(1 / (1 + margin), limits), _place(1 + margin, limits)),
        noise=(_place(noise[0], limits), _place(noise[1], limits)) if noise else None,
    )


def filters(study: Study) -> list[Filter]:
    """Scenario, interface, server and each factor, where there is a choice that no filter before it gives already."""
    cells = [arm.cell.keys for arm in study.arms.values()]
    levels = {name: [str(cell.get(name, NONE)) for cell in cells] for name in _filtered(study)}
    shown: list[str] = []
    for name, own in levels.items():
        repeats = name not in ALWAYS_FILTERED and any(_follows(own, levels[other]) for other in shown)
        if len(set(own)) > 1 and not repeats:
            shown.append(name)
    return [Filter(name=name, label=name, levels=tuple(dict.fromkeys(levels[name]))) for name in shown]


def _follows(own: Sequence[str], other: Sequence[str]) -> bool:
    """Whether whoever knows the level of an arm in `other` knows the one in `own`."""
    return len(set(zip(other, own, strict=True))) == len(set(other))


def arm_facts(study: Study) -> dict[str, dict[str, str]]:
    """What the page's script filters by, for each arm."""
    return {
        arm.id: {"pair": arm.pair or "", **{name: str(arm.cell.keys.get(name, NONE)) for name in _filtered(study)}}
        for arm in study.arms.values()
    }


def _filtered(study: Study) -> list[str]:
    return [*ALWAYS_FILTERED, *(factor.name for factor in study.factors)]


def unfit(trials: Iterable[Trial]) -> list[Unfit]:
    """The trials that may not be used, those of an arm together that have the reasons in common."""
    together: dict[tuple[str, ...], Unfit] = {}
    for trial in trials:
        if trial.valid and trial.error is None:
            continue
        reasons = tuple(map(words.first_line, why(trial)))
        row = Unfit(arm=trial.arm, what="error" if trial.error is not None else "invalid", reasons=reasons)
        first = together.setdefault((row.arm, row.what, *reasons), row)
        first.trials.append(trial.trial)
    return list(together.values())


def unfit_episodes(episodes: Iterable[Episode]) -> list[Unfit]:
    """The episodes that may not be used, those of an arm together that have the reasons in common."""
    together: dict[tuple[str, ...], Unfit] = {}
    for episode in episodes:
        if episode.valid:
            continue
        reasons = tuple(map(words.first_line, (episode.error,) if episode.error else episode.reasons))
        row = Unfit(arm=episode.arm, what="error" if episode.error else "invalid", reasons=reasons)
        together.setdefault((row.arm, row.what, *reasons), row).trials.append(episode.episode)
    return list(together.values())


def _pair(study: Study, pair: str, limits: tuple[float, float]) -> PairView:
    a, b = study.sides(pair)
    verdict = study.verdict(pair)
    slow = study.latency(pair)
    return PairView(
        id=pair,
        scenario=a.cell.scenario,
        condition=words.under(study, pair),
        name=words.name(study, pair),
        null=study.pairs[pair].null,
        a=_arm(study, a, verdict.a_limit if verdict else None),
        b=_arm(study, b, verdict.b_limit if verdict else None),
        value=study.pair(pair),
        verdict=verdict.verdict if verdict else "none",
        symbol=words.SYMBOLS[verdict.verdict] if verdict else "",
        reasons=_reasons(study, pair, verdict),
        track=track_of(verdict, limits),
        sentence=words.clause(study, pair),
        factor=_factor(verdict),
        latency=study.pair(pair, slow.metric) if slow else None,
        latency_name=words.percentile(slow.metric) if slow else "",
        cpu=study.pair(pair, "cpu_s_per_request"),
        caveats=tuple(
            (words.called(study, study.arms[caveat.arm]) if caveat.arm in study.arms else "", caveat)
            for caveat in study.caveats(pair)
        ),
    )


def _arm(study: Study, arm: Arm, limit: str | None) -> ArmView:
    trials = [trial for phase in PHASES for trial in study.trials(arm.id, phase)]
    return ArmView(
        arm=arm,
        setup=words.setup(arm),
        own=words.own(arm),
        throughput=study.arm(arm.id, "throughput_rps"),
        bound=words.bound(arm, limit, study.cores) + (words.link(study, [arm]) if limit else ""),
        of_ceiling=study.arm(arm.id, "of_ceiling"),
        validity=_validity(trials),
        unfit=words.alike(words.first_line(reason) for trial in trials for reason in why(trial)),
    )


def _validity(trials: Sequence[Trial]) -> str:
    if not trials:
        return "not measured"
    failed = sum(trial.error is not None for trial in trials)
    invalid = sum(not trial.valid and trial.error is None for trial in trials)
    good = len(trials) - failed - invalid
    parts = [
        f"all {units.plural(good, 'trial')} valid" if good == len(trials) else f"{good} of {len(trials)} trials valid"
    ]
    parts += [f"{invalid} invalid"] if invalid else []
    parts += [f"{failed} failed"] if failed else []
    return ", ".join(parts)


def _factor(verdict: PairVerdict | None) -> str:
    return words.turned(verdict).partition(" ")[0] if verdict and verdict.ratio else ""


def _reasons(study: Study, pair: str, verdict: PairVerdict | None) -> tuple[str, ...]:
    """What stands below a verdict: what would settle it, and why there is none where no answer above says it."""
    if verdict is None:
        return ()
    if verdict.ratio is None:
        return words.reasons(study, verdict) if study.pairs[pair].null else ()
    if verdict.low is None:
        return ("one block: no interval",)
    return tuple(map(words.shown, filter(None, (verdict.settle, *verdict.caveats))))


def track_of(verdict: PairVerdict | None, limits: tuple[float, float]) -> Track | None:
    """Where a ratio and its interval lie on the axis; None where there is none."""
    if verdict is None or verdict.ratio is None:
        return None
    low, high = (None if end is None else _place(end, limits) for end in (verdict.low, verdict.high))
    return Track(point=_place(verdict.ratio, limits), low=low, high=high)


def _place(ratio: float, limits: tuple[float, float]) -> float:
    return round(100 * place(ratio, limits), 2)
