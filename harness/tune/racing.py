"""The loop of a question without a rate: rounds of open load until the settings of highest capacity are known."""

from __future__ import annotations

from harness.errors import UsageError
from harness.judge.slo import Slo
from harness.tune.holding import measured
from harness.tune.most.next_round import Round, decide
from harness.tune.state import Session


def race(session: Session, slo: Slo, share: float) -> None:
    """Offer rates until the choice is clear or that share of the budget is spent; what was measured before counts.

    Where the service is too slow for a slice to resolve the objectives, there is no round.
    """
    tuning = session.tuning
    if tuning.setup is None or not tuning.blocks:
        return
    while True:
        try:
            step = decide(tuning.setup, tuning.blocks, tuning.rate_blocks, slo, session.left_s(share))
        except UsageError as error:
            session.say(f"  no rounds of open load: {error}")
            return
        if not isinstance(step, Round):
            tuning.held = step.why
            return
        measured(session, step.candidates, step.asked, "round")
