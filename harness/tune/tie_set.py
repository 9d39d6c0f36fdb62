"""The rule: of the candidates within the margin of the best, the tie set, the smallest is recommended; pure."""

from __future__ import annotations

import math

from harness.tune.blocks import Setup
from harness.tune.candidates import Candidate
from harness.tune.estimate import Fit

DOUBT = 0.5
"""Standard errors by which an estimate must be within the margin: what it gains by chance is then not given away."""


def ties(setup: Setup, fitted: Fit, doubt: float = DOUBT) -> tuple[Candidate, ...]:
    """The tie set: within the margin of the best by their point estimates, less `doubt` standard errors."""
    floor = math.log1p(-setup.margin)
    gaps = {candidate: fitted.against(candidate, fitted.best) for candidate in fitted.order}
    return tuple(candidate for candidate, gap in gaps.items() if gap.mean - doubt * gap.standard_error >= floor)


def smallest(setup: Setup, fitted: Fit) -> Candidate:
    """The smallest of the tie set."""
    return min(ties(setup, fitted))
