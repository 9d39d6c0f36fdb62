"""From a question and a budget to all that a tuning measures; what launches servers and loads them is behind one seam.

    one worker under one connection -> closed blocks of candidates -> rounds of open load until the choice is clear
                                    -> rates under the chosen settings
                       with a rate: blocks of candidates under it until the cheapest that holds it is known

All that is known so far stands in a `Tuning` at any moment. So Ctrl-C, or a launch that fails, ends the work and not
the answer, and the next sitting goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from scipy.stats import binom

from harness import units
from harness.errors import AnswerError, LaunchError, LoadError, UsageError
from harness.judge.slo import Slo
from harness.tune import next_block, next_spell
from harness.tune.blocks import BlockOutcome, Setup
from harness.tune.candidates import Candidate, Service, candidates
from harness.tune.choice import Choice
from harness.tune.holding import hold
from harness.tune.next_block import Measure
from harness.tune.next_rate import Try
from harness.tune.racing import race
from harness.tune.rows import rows
from harness.tune.search import Search
from harness.tune.state import Instrument, Keep, Question, Session, Tuning, name
from harness.tune.trials import UNUSABLE, RateTrial
from harness.tune.varying import vary

LAID_OUT, CLOSED, CHOOSING = 0.5, 0.35, 0.65
"""Shares of the budget: twice what the first closed blocks may take, and after which the rounds, and then the search
for the capacity, get their turn."""
VARYING = 0.3
"""Of the time that is left for the search, what the levels that are for memory may take."""
CERTAIN = 1e-4
"""Chance of so many losses if the objective held, below which it is certain that it does not."""


def tune(
    question: Question,
    instrument: Instrument,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    *,
    began: float | None = None,
    tuning: Tuning | None = None,
    keep: Keep = lambda _, __: None,
) -> Tuning:
    """Measure what the budget allows, which counts from `began`; `say` gets a line for each step, `keep` the step.

    Where a step breaks off, `keep` gets None, so that its seconds count too.
    `tuning` is what earlier sittings left; it is carried on and returned. After Ctrl-C, or when a launch or a load
    fails, it holds what was measured until then, and says so. Raises `LaunchError` where not even one worker can be
    measured: then there is nothing to go on from.
    """
    tuning = tuning or Tuning()
    began = (clock() if began is None else began) - tuning.elapsed_s
    session = Session(question, instrument, tuning, say, keep, lambda: clock() - began)
    try:
        if tuning.begun or _possible(session):
            _measure(session)
    except KeyboardInterrupt:
        tuning.interrupted = True
    except (LaunchError, AnswerError, LoadError) as error:
        if not tuning.begun:
            raise
        tuning.failure = str(error)
    tuning.elapsed_s = session.elapsed_s()
    if tuning.interrupted or tuning.failure is not None:
        keep(None, tuning.elapsed_s)  # what the step that broke off took, the next sitting does not have
    return tuning


def _measure(session: Session) -> None:
    """Go the way of the question."""
    slo, rate_rps = session.slo, session.question.rate_rps
    if slo is not None and rate_rps is not None:
        hold(session, slo, rate_rps)
        vary(session, 1.0)
        return
    _close(session)
    if slo is None:
        vary(session, 1.0)
        return
    race(session, slo, 0.0 if session.tuning.trials else CHOOSING)
    vary(session, VARYING)
    _search(session, slo)


def _possible(session: Session) -> bool:
    """Measure one worker under one connection; whether it keeps the objectives, for no load is lighter."""
    slo, tuning = session.question.slo, session.tuning
    alone = session.instrument.lone_worker()
    tuning.service = alone.service
    for loss in slo.evaluate(alone.tally) if slo else ():
        if loss.arrivals and binom.sf(loss.lost - 1, loss.arrivals, loss.objective.loss_goal) < CERTAIN:
            tuning.refused = loss
            return False
    session.report(_described(alone.service, ladder=session.question.rate_rps is None))
    return True


def _described(service: Service, *, ladder: bool) -> str:
    response, cpu = units.seconds(service.unloaded_s), units.seconds(service.cpu_s_per_request)
    known = f"unloaded response {response}, {cpu} of CPU a request"
    if not ladder:
        return known
    every = candidates(service)
    ends = f"{name(every[0])} to {name(every[-1])}" if len(every) > 1 else name(every[0])
    return f"{known}: {len(every)} candidates from {ends}"


def _close(session: Session) -> None:
    """Measure closed blocks until all were in one; without an objective, until the choice is clear."""
    question, tuning = session.question, session.tuning
    alone = session.slo is None
    if tuning.setup is None:
        assert tuning.service is not None  # noqa: S101 - the lone worker came first
        left_s = session.left_s(1.0 if alone else LAID_OUT)
        tuning.setup = next_block.begin(tuning.service, left_s, margin=question.margin)
        session.done(tuning.setup)
    while alone or not (tuning.race and tuning.race.shown):
        # As long as nothing is known, there is nothing better to do with the time.
        share = 1.0 if alone or tuning.choice is None else 0.0 if tuning.rate_blocks else CLOSED
        step = next_block.decide(tuning.setup, tuning.blocks, session.left_s(share))
        if not isinstance(step, Measure):
            tuning.ended = step.why
            return
        block = session.instrument.block(step.candidates)
        tuning.blocks.append(block)
        session.done(block)
        for arm in block.measured:
            if arm.error is not None:
                session.say(f"  {name(arm.candidate)}: {arm.error}")
        session.report(f"block {len(tuning.blocks)}: {_throughputs(block, tuning.choice)}")


def _throughputs(block: BlockOutcome, choice: Choice | None) -> str:
    shown = ", ".join(f"{name(candidate)} {units.rps(rps)}" for candidate, rps in sorted(block.rps.items()))
    return (shown or "nothing valid") + (f"; so far {name(choice.recommended)}" if choice else "")


def _search(session: Session, slo: Slo) -> None:
    """Offer the chosen count rates until the bracket is settled, with times and launches counted on from before."""
    tuning = session.tuning
    choice, setup = tuning.choice, tuning.setup
    if choice is None or setup is None:
        return
    chosen, seed_rps = choice.recommended, _seed_rps(tuning, setup, choice)
    try:
        tuning.search, tuning.connections = Search(slo, seed_rps), setup.service.pool(chosen, seed_rps)
    except UsageError:
        if session.question.slo is not None:
            raise
        return  # it is too slow for what is usual; nobody asked for that
    earlier_s = max((trial.start_s + trial.took_s for trial in tuning.trials), default=0.0)
    launches = max((trial.launch + 1 for trial in tuning.trials), default=0)
    with session.instrument.searching(chosen, seed_rps, tuning.connections) as offer:
        while isinstance(step := next_spell.decide(tuning.search, tuning.trials, session.left_s()), Try):
            trial = offer(step)
            start_s, launch = earlier_s + trial.start_s, launches + trial.launch
            trial = replace(trial, start_s=start_s, launch=launch, spell=step.spell)
            tuning.trials.append(trial)
            session.done(trial)
            session.report(_outcome(trial))
            if _unusable(tuning.trials):
                tuning.ending = "unusable"
                return
        tuning.ending = step.ending


def _seed_rps(tuning: Tuning, setup: Setup, choice: Choice) -> float:
    """Where the search begins: what the rounds say of the choice, or without any its closed throughput.

    A closed load that had too few connections says less than that; then it is what slots and CPU allow.
    """
    chosen, raced = choice.recommended, tuning.race
    if raced and raced.levels and raced.holding[chosen]:
        return raced.levels.rps(chosen)
    table = rows(setup, tuning.blocks, choice)
    row = next(row for row in table if Candidate(row.workers, row.threads) == chosen)
    assert row.throughput_rps is not None  # noqa: S101 - the choice was measured
    measured = [arm for block in tuning.blocks for arm in block.measured if arm.candidate == chosen]
    cpu_s = [arm.cpu_s_per_request for arm in measured if arm.cpu_s_per_request]
    if row.limit != "connections" or not cpu_s:
        return row.throughput_rps
    return max(row.throughput_rps, setup.service.most_rps(chosen, median(cpu_s)))


def _unusable(trials: Sequence[RateTrial]) -> bool:
    """Whether so many trials in a row could not be used that the next ones will hardly be better."""
    return len(trials) >= UNUSABLE and all(trial.outcome == "invalid" for trial in trials[-UNUSABLE:])


def _outcome(trial: RateTrial) -> str:
    if trial.outcome == "invalid":
        return f"{units.rps(trial.rate_rps)}: not usable, {'; '.join(trial.reasons)}"
    p99 = f" (p99 {units.duration_us(trial.p99_us)})" if trial.p99_us is not None else ""
    missed = f"not held, {trial.objective} missed, mostly {trial.cause}"
    return f"{units.rps(trial.rate_rps)}: {'held' if trial.outcome == 'held' else missed}{p99}"
