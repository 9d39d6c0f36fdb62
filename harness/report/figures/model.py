"""One run as every report sees it: each number that is printed stands here once, under a key of its own.

The page, summary.csv and `compare --json` agree because all of them print these values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import median

from harness.judge.compare import Trials
from harness.judge.episodes import Break, Contrast, breaks, contrasts
from harness.judge.metrics import METRICS, Metric, histogram, latency_name
from harness.judge.verdicts import Caveat, Comparison, PairVerdict
from harness.record import Run, Trial
from harness.report.figures.deploys import Deploys, deploys_of
from harness.report.figures.episodes import AtStrength, at_strengths, of_break, of_contrast, of_held
from harness.report.figures.requests import of_requests
from harness.report.figures.rows import of_arm, of_effect, of_noise, of_pair, of_tuning
from harness.report.figures.value import NOTHING, Figures, Value, average, table
from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, resolved
from harness.suite import PHASES, Arm, Factor, Group, Pair, Phase, Scenario
from harness.tune.recommendation import Recommendation


@dataclass(frozen=True)
class Study:
    """A run, what it shows, and the values to print."""

    run: Run
    comparison: Comparison
    tuned: Recommendation | None = None
    """What tune found, if the run is a tuning."""

    @cached_property
    def arms(self) -> dict[str, Arm]:
        """The planned arms by id."""
        return {arm.id: arm for group in self.run.info.plan.groups for arm in group.arms}

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """The planned pairs by id, in the order of the suite."""
        planned = [pair for group in self.run.info.plan.groups for pair in group.pairs]
        return {pair.id: pair for pair in sorted(planned, key=lambda pair: _natural(pair.id))}

    @cached_property
    def scenarios(self) -> dict[str, Scenario]:
        """The scenarios by name, in the order of the suite."""
        ordered = [self.arms[pair.a] for pair in self.pairs.values()] + list(self.arms.values())
        return {arm.scenario.name: arm.scenario for arm in ordered}

    @cached_property
    def cores(self) -> int:
        """CPUs that the servers had."""
        return len(self.run.info.placement.get("server", ()))

    def round_trip_us(self, arm: str) -> float | None:
        """Of the link between the load and an arm on another machine; None without one."""
        known = [each.round_trip_us for each in self.run.trials if each.arm == arm and each.round_trip_us is not None]
        return median(known) if known else None

    def sweeps(self, scenario: str) -> bool:
        """Whether the arms of a scenario differ in their number of connections."""
        return len({arm.connections for arm in self.arms.values() if arm.cell.scenario == scenario}) > 1

    @property
    def factors(self) -> tuple[Factor, ...]:
        """What the run varies, in the order of reports."""
        return self.run.info.plan.factors

    def telling(self, scenario: str) -> tuple[Factor, ...]:
        """The factors of a side in which the pairs of a scenario differ on their side b: what tells them apart."""
        cells = [self.sides(pair)[1].cell for pair in self.pairs_of(scenario)]
        own = [factor for factor in self.factors if factor.on == "side" and not factor.is_count]
        return tuple(factor for factor in own if len({cell.level(factor.name) for cell in cells}) > 1)

    def sides(self, pair: str) -> tuple[Arm, Arm]:
        """The arms a and b of a pair."""
        return self.arms[self.pairs[pair].a], self.arms[self.pairs[pair].b]

    def pairs_of(self, scenario: str) -> list[str]:
        """The pairs of a scenario."""
        return [pair for pair in self.pairs if self.sides(pair)[0].cell.scenario == scenario]

    def trials(self, arm: str, phase: Phase) -> tuple[Trial, ...]:
        """The trials of an arm by block; of a block that was measured again the last."""
        by_block = self._trials.of(arm, phase)
        return tuple(by_block[block] for block in sorted(by_block))

    def used(self, arm: str, phase: Phase) -> tuple[Trial, ...]:
        """What the figures of an arm rest on: valid trials, in blocks where its partner's are too if there are any."""
        own = [trial for trial in self.trials(arm, phase) if trial.valid and trial.error is None]
        partner = {trial.block for trial in self.trials(self._partner.get(arm, ""), phase) if trial.valid}
        return tuple([trial for trial in own if trial.block in partner] or own)

    def rate(self, pair: str) -> float | None:
        """The rate that was offered to both arms of a pair in its open phase."""
        for arm in self.sides(pair):
            for trial in self.trials(arm.id, "open"):
                if trial.load.rate_rps is not None:
                    return trial.load.rate_rps
        return None

    def histogram(self, arm: str, phase: Phase) -> Histogram | None:
        """Response times of an arm, merged over its blocks."""
        return _merged(tuple(trial.histogram for trial in self.used(arm, phase) if trial.histogram))

    def group_of(self, pair: str) -> Group:
        """The group in which a pair is measured."""
        return next(g for g in self.run.info.plan.groups if any(each.id == pair for each in g.pairs))

    @cached_property
    def breaks(self) -> dict[str, Break]:
        """By arm, where a suite has disturbances: how much of its disturbance broke it."""
        return breaks(self.run.episodes)

    @cached_property
    def contrasts(self) -> tuple[Contrast, ...]:
        """How the arms of each pair differ at each strength of its disturbance."""
        return contrasts(list(self.pairs.values()), self.run.episodes)

    @cached_property
    def disturbed(self) -> tuple[str, ...]:
        """The arms that have an episode on record."""
        return tuple(dict.fromkeys(each.arm for each in self.run.episodes))

    def deploys(self, arm: str) -> Deploys | None:
        """What deploys cost an arm; None where it was not deployed, or no episode is valid."""
        return deploys_of(self.arms[arm], self.run.episodes)

    def strengths(self, arm: str) -> list[AtStrength]:
        """The valid episodes of an arm by strength."""
        return at_strengths(self.arms[arm], self.run.episodes)

    def verdict(self, pair: str, metric: str = "throughput_rps") -> PairVerdict | None:
        """The verdict on one metric of a pair, if there is one."""
        return self._verdicts.get((pair, metric))

    def latency(self, pair: str) -> PairVerdict | None:
        """The verdict on the highest latency percentile that has an interval; without any the highest with a ratio."""
        verdicts = [self.verdict(pair, latency_name(quantile, "open")) for quantile in reversed(QUANTILES)]
        known = [verdict for verdict in verdicts if verdict and verdict.ratio]
        return next((verdict for verdict in known if verdict.low is not None), known[0] if known else None)

    def arm(self, arm: str, metric: str, phase: Phase = "closed") -> Value | None:
        """What the run shows of one arm; None where it shows nothing."""
        value = self.values.get(f"arm/{arm}/{metric}/{phase}")
        return value if value is not None and value.value is not None else None

    def pair(self, pair: str, metric: str = "throughput_rps") -> Value | None:
        """The ratio of one pair, or why there is none."""
        verdict = self.verdict(pair, metric)
        return self.values[f"pair/{pair}/{metric}/{verdict.phase}"] if verdict else None

    def caveats(self, pair: str | None) -> list[Caveat]:
        """Caveats of one pair; None: those of the whole run."""
        return [caveat for caveat in self.comparison.caveats if caveat.pair == pair]

    @cached_property
    def values(self) -> dict[str, Value]:
        """Every number of the report by its key."""
        values = [
            *(of_pair(verdict) for verdict in self.comparison.pairs),
            *self._of_arms(),
            *(of_effect(effect) for effect in self.comparison.effects),
            *(of_noise(noise, number) for number, noise in enumerate(self.comparison.noise, 1)),
            *(of_tuning(self.tuned) if self.tuned else ()),
            *(of_break(self.arms[arm], found) for arm, found in self.breaks.items()),
            *(of_contrast(self.sides(each.pair)[1], each) for each in self.contrasts),
            *(value for arm in self.disturbed for at in self.strengths(arm) for value in at.figures),
            *(value for arm in self.breaks for value in of_held(self.arms[arm], self.strengths(arm))),
            *(value for arm in self.disturbed if (of := self.deploys(arm)) for value in of.figures),
        ]
        return {value.key: value for value in values}

    @cached_property
    def table(self) -> str:
        """summary.csv: one row a pair, arm or effect and metric."""
        return table(self.values.values(), [factor.name for factor in self.factors])

    def _of_arms(self) -> Iterator[Value]:
        for arm in self.arms.values():
            for phase in PHASES:
                trials, used = self.trials(arm.id, phase), self.used(arm.id, phase)
                for metric in METRICS.values() if trials else ():
                    if phase not in metric.phases:
                        continue
                    figures = self._figures(arm.id, phase, metric, used)
                    if figures[0] is not None or metric.name == "throughput_rps":
                        yield of_arm(arm, trials, used, metric.name, figures)
                yield from of_requests(arm, phase, used)

    def _figures(self, arm: str, phase: Phase, metric: Metric, used: tuple[Trial, ...]) -> Figures:
        numbers = [metric.read(trial) for trial in used]
        known = [number for number in numbers if number is not None]
        if known and len(known) == len(used):
            return average(known, logarithmic=metric.geometric)
        merged = self.histogram(arm, phase) if metric.percentile else None
        if merged is not None and metric.percentile:
            return resolved(merged, metric.percentile), None, None
        return NOTHING

    @cached_property
    def _trials(self) -> Trials:
        return Trials(self.run.trials)

    @cached_property
    def _partner(self) -> dict[str, str]:
        return {arm: partner for p in self.pairs.values() for arm, partner in ((p.a, p.b), (p.b, p.a))}

    @cached_property
    def _verdicts(self) -> dict[tuple[str, str], PairVerdict]:
        return {(verdict.pair, verdict.metric): verdict for verdict in self.comparison.pairs}


@lru_cache(maxsize=16)
def _merged(texts: tuple[str, ...]) -> Histogram | None:
    return Histogram.merged(map(histogram, texts)) if texts else None


def _natural(identity: str) -> tuple[int, str]:
    """p2 before p10."""
    digits = "".join(filter(str.isdecimal, identity))
    return int(digits or 0), identity
