"""From what a session measured to the recommendation, and to the exit code of the call; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from harness import units
from harness.errors import GatebenchError, GateError, NothingValidError
from harness.judge.slo import Loss
from harness.record import TRIALS
from harness.suite import Arm, Factor, own_words
from harness.tune import next_spell, variants
from harness.tune.bracket import Bracket, conclude
from harness.tune.candidates import Candidate
from harness.tune.choice import Choice
from harness.tune.explain import command, explain
from harness.tune.explain_rate import told as told_of_rate
from harness.tune.interval import HIGH, LOW, ends, interval
from harness.tune.launches import shown
from harness.tune.most.verdict import held, offered
from harness.tune.rate.answer import RateAnswer, answer
from harness.tune.recommendation import CandidateRow, Capacity, RatePoint, Recommendation
from harness.tune.resources import resources
from harness.tune.rows import rows
from harness.tune.search import Search
from harness.tune.state import Question, Tuning, objective
from harness.tune.trials import Ending, RateTrial

MOODY = 1.2
"""CPU of the dearest request over that of the cheapest from which the machine is said to have changed its speed; of
trials at similar rates, the tenth at either end left out."""
ALIKE = 1.3
"""Ratio up to which rates are similar."""
ENOUGH = 10
"""Trials at similar rates that are needed to say so."""


def recommend(question: Question, arm: Arm, tuning: Tuning, factors: Sequence[Factor] = ()) -> Recommendation:
    """The best recommendation that there is, even after an interruption or a failure."""
    choice, rate, slo = tuning.choice, _rate(tuning), objective(question, tuning)
    best = tuning.best
    unexplained = Recommendation(
        target=arm.cell.target,
        server=arm.cell.server,
        scenario=arm.cell.scenario,
        levels=own_words([factor for factor in factors if not factor.is_count], arm.cell, arm.server),
        resources=resources(arm.cell.pod),
        service=tuning.service,
        margin=question.margin,
        budget_s=question.budget_s,
        elapsed_s=tuning.elapsed_s,
        interrupted=tuning.interrupted,
        failure=tuning.failure,
        slo=slo.text if slo else None,
        slo_given=question.slo is not None,
        rate=rate,
        capacity_rps=_capacity(tuning),
        searched=_points(tuning),
        recommended=best,
        ties=choice.ties if choice else (),
        ended=tuning.held or tuning.ended,
        rounds=offered(tuning.rate_blocks) if tuning.asked is None else None,
        candidates=_candidates(tuning, choice),
        variants=variants.rows(tuning.variants, best),
        command=command(arm, best, factors) if best else (),
        caveats=tuple(_caveats(question, tuning)),
    )
    told = told_of_rate(unexplained) if rate else explain(unexplained)
    beside = variants.told(unexplained.variants, best.workers, question.margin) if best else ()
    told = " ".join([told, *beside])
    return replace(unexplained, explanation=refusal(tuning) or told)


def _candidates(tuning: Tuning, choice: Choice | None) -> tuple[CandidateRow, ...]:
    """Every candidate, with what the rounds showed of it."""
    race = tuning.race
    if race is None:
        return ()
    held_by = held(race)
    table = rows(race.setup, race.blocks, choice)
    by_row = ((row, Candidate(row.workers, row.threads)) for row in table)
    return tuple(
        replace(row, held=held_by.get(each), memory_bytes=race.memory.get(each), **shown(race.launches(each)))
        for row, each in by_row
    )


def _rate(tuning: Tuning) -> RateAnswer | None:
    if tuning.asked is None or not tuning.rate_blocks:
        return None
    return answer(tuning.asked, tuning.rate_blocks, settled=tuning.held == "settled")


def refusal(tuning: Tuning) -> str:
    """Why no load can hold the objectives, where one connection alone already misses one; else empty."""
    loss = tuning.refused
    if loss is None or tuning.service is None:
        return ""
    return (
        f"No load can hold {loss.objective.text}: with one worker and a single connection, so with nothing to wait "
        f"behind, {loss.lost} of {loss.arrivals} requests were lost to it ({loss.cause}); the unloaded response takes "
        f"{units.seconds(tuning.service.unloaded_s)}, which neither workers nor a lower rate can shorten."
    )


def shortfall(folder: Path, tuning: Tuning, recommendation: Recommendation) -> GatebenchError | None:
    """What the recommendation lacks, as the error that ends the call; None where it lacks nothing.

    Exit code 3 after a launch or load that failed, from which the tuning can be gone on with, and where nothing valid
    came out; exit code 1 where no load holds the objectives, or what was measured takes more memory than it may.
    """
    if tuning.failure is not None:
        return GatebenchError(f"{tuning.failure}\nwhat was measured is kept: gatebench tune --resume {folder} goes on")
    if recommendation.capacity_rps is not None and recommendation.capacity_rps.ending == "nothing holds":
        return GateError(refusal(tuning) or f"no load holds {recommendation.slo}: {recommendation.explanation}")
    if recommendation.recommended is None and tuning.held == "nothing holds":
        return GateError(recommendation.explanation)
    if recommendation.recommended is None and any(row.blocks for row in recommendation.candidates):
        return GateError(recommendation.explanation)
    if recommendation.recommended is None:
        return NothingValidError(f"nothing valid came out; the reasons stand in {folder}/{TRIALS} and the report")
    return None


def capacity(search: Search, trials: Sequence[RateTrial], ending: Ending, connections: int | None = None) -> Capacity:
    """The capacity as the search left it.

    It has no bounds where no trial could be used: the bracket is then no more than the search's first guess.
    """
    bracket, found = conclude(search, trials), interval(search, trials)
    low, high, settled = bracket.low, bracket.high, bracket.settled
    if all(trial.outcome == "invalid" for trial in trials):
        low = high = None
    elif found is not None:
        low, high = ends(found, trials)
        settled = found.trials >= next_spell.ENOUGH
    return Capacity(
        low=low.rate_rps if low else None,
        high=high.rate_rps if high else None,
        connections=connections,
        launches=len({trial.launch for trial in trials}),
        trials=len(trials),
        low_trials=low,
        high_trials=high,
        probability=bracket.probability if found is None else HIGH - LOW,
        settled=settled,
        ending=ending,
        broke=bracket.broke,
        cause=bracket.cause,
        limit=bracket.limit,
        stalls=bracket.stalls,
        interval=found,
    )


def points(trials: Sequence[RateTrial], bracket: Bracket) -> tuple[RatePoint, ...]:
    """The trials as points of the search's chart."""
    return tuple(RatePoint(trial=trial, slow_spell=spell) for trial, spell in zip(trials, bracket.spells, strict=True))


def _points(tuning: Tuning) -> tuple[RatePoint, ...]:
    if tuning.search is None or not tuning.trials:
        return ()
    return points(tuning.trials, conclude(tuning.search, tuning.trials))


def _capacity(tuning: Tuning) -> Capacity | None:
    if tuning.refused is not None:
        return _none(tuning.refused)
    if tuning.search is None or not tuning.trials:
        return None
    ending = tuning.ending or ("failed" if tuning.failure else "interrupted")
    return capacity(tuning.search, tuning.trials, ending, tuning.connections)


def _none(loss: Loss) -> Capacity:
    """The capacity of a service that misses its objective even with one connection."""
    return Capacity(
        low=None,
        high=None,
        connections=1,
        trials=0,
        low_trials=None,
        high_trials=None,
        probability=1.0,
        settled=True,
        ending="nothing holds",
        broke=loss.objective.text,
        cause=loss.cause,
        limit=None,
    )


def _caveats(question: Question, tuning: Tuning) -> Iterator[str]:
    if tuning.interrupted:
        yield "interrupted: this is the best answer so far"
    if tuning.failure is not None:
        yield f"broken off: {tuning.failure}"
    if _unsearched(question, tuning):
        yield "the capacity was not searched for: there was no time, or no count that could be searched with"
    yield from _moods(tuning)
    unusable = sum(trial.outcome == "invalid" for trial in tuning.trials)
    if unusable:
        yield f"{unusable} of {len(tuning.trials)} trials of the search may not be used: something disturbed them"


def _unsearched(question: Question, tuning: Tuning) -> bool:
    """Whether objectives were recommendation, and no rate was offered, though nothing cut the tuning short."""
    whole = not tuning.interrupted and tuning.failure is None
    searches = objective(question, tuning) is not None and question.rate_rps is None
    return whole and searches and tuning.refused is None and not tuning.trials


def _moods(tuning: Tuning) -> Iterator[str]:
    """A machine that changes its speed moves the edge, and no search can tell where it will be in an hour."""
    costs = [(trial.rate_rps, trial.cpu_s_per_request) for trial in tuning.trials if trial.cpu_s_per_request]
    usual_rps = median(rate_rps for rate_rps, _ in costs) if costs else 0.0
    similar = sorted(cpu_s for rate_rps, cpu_s in costs if usual_rps / ALIKE <= rate_rps <= usual_rps * ALIKE)
    if len(similar) < ENOUGH:
        return
    low, high = similar[len(similar) // 10], similar[-1 - len(similar) // 10]
    if high > MOODY * low:
        yield (
            f"the machine changed its speed during the search: a request took {units.seconds(low)} to "
            f"{units.seconds(high)} of CPU in eight of ten trials, and the rate that holds moves with it; search again "
            "at another hour, or on a machine of your own"
        )
