"""The loop of a question with a rate: blocks until the cheapest settings that hold it are known."""

from __future__ import annotations

from harness import units
from harness.judge.slo import Slo
from harness.tune.candidates import Candidate
from harness.tune.rate.asked import Asked, RateBlock, asked_of
from harness.tune.rate.next_group import Offer, decide
from harness.tune.state import Session, name


def hold(session: Session, slo: Slo, rate_rps: float) -> None:
    """Offer the rate until the answer is settled or the time is up; what was measured before counts."""
    question, tuning = session.question, session.tuning
    if tuning.asked is None:
        assert tuning.service is not None  # noqa: S101 - the lone worker came first
        tuning.asked = asked_of(tuning.service, slo, rate_rps, question.headroom)
        session.done(tuning.asked)
    while isinstance(step := decide(tuning.asked, tuning.rate_blocks, session.left_s()), Offer):
        measured(session, step.candidates, tuning.asked, "block")
    tuning.held = step.why


def measured(session: Session, group: tuple[Candidate, ...], asked: Asked, called: str) -> None:
    """Measure a block of open load, keep it, and say what came of it."""
    tuning = session.tuning
    block = session.instrument.rate_block(group, asked)
    tuning.rate_blocks.append(block)
    session.done(block)
    for offered in block.offered:
        if offered.trial.outcome == "invalid":
            session.say(f"  {name(offered.candidate)}: not usable, {'; '.join(offered.trial.reasons)}")
    best = tuning.best
    so_far = f"; so far {name(best)}" if best else ""
    session.report(f"{called} {len(tuning.rate_blocks)}: {_outcomes(block)}{so_far}")


def _outcomes(block: RateBlock) -> str:
    def words(outcome: str, verb: str) -> list[str]:
        names = [name(each.candidate) for each in block.offered if each.trial.outcome == outcome]
        return [f"{', '.join(names)} {verb}"] if names else []

    rate = units.rps(block.offered[0].trial.rate_rps)
    return f"{rate}: {'; '.join(words('held', 'held') + words('exceeded', 'did not')) or 'nothing valid'}"
