"""The candidates as a table: one row each, over all blocks; pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from harness.judge.statistics import estimate
from harness.spec.percentiles import SAMPLES_BEYOND
from harness.tune.blocks import BlockOutcome, Measured, Setup
from harness.tune.candidates import Candidate
from harness.tune.choice import Choice, choose
from harness.tune.estimate import Fit, fit
from harness.tune.recommendation import CandidateRow, Standing
from harness.tune.roster import follow

BEYOND_P99 = 0.01
"""Share of the responses that are slower than the p99."""
LEAST_BEYOND = 2
"""Responses of a block slower than its p99, from which the block counts for the p99 of a candidate."""


def rows(setup: Setup, blocks: Sequence[BlockOutcome], choice: Choice | None = None) -> tuple[CandidateRow, ...]:
    """Every candidate that was launched, rising."""
    choice = choice or choose(setup, blocks)
    roster = follow(setup, blocks)
    measured: dict[Candidate, list[Measured]] = {}
    for arm in (arm for block in blocks for arm in block.measured):
        measured.setdefault(arm.candidate, []).append(arm)
    # The choice was made by the fit of the finalists; the fit of all has the candidates that are out.
    fits = [fitted for fitted in (roster.fitted, fit([block.rps for block in blocks])) if fitted is not None]
    return tuple(
        _row(
            candidate,
            measured[candidate],
            next((fitted for fitted in fits if candidate in fitted.order), None),
            choice,
            roster.out.get(candidate),
        )
        for candidate in sorted(measured)
    )


def _row(
    candidate: Candidate, measured: Sequence[Measured], fitted: Fit | None, choice: Choice | None, why: str | None
) -> CandidateRow:
    valid = [arm for arm in measured if arm.throughput_rps]
    low, high = fitted.about(candidate).interval() if fitted else (math.nan, math.nan)
    p99_us, p99_low_us, p99_high_us = _p99(valid)
    return CandidateRow(
        workers=candidate.workers,
        threads=candidate.threads,
        standing=_standing(candidate, choice, why, valid),
        why=why or (measured[-1].error if not valid else None),
        blocks=len(valid),
        throughput_rps=fitted.rps(candidate) if fitted else None,
        low_rps=math.exp(low) if fitted else None,
        high_rps=math.exp(high) if fitted else None,
        of_best=_of_best(candidate, fitted, choice),
        p99_us=p99_us,
        p99_low_us=p99_low_us,
        p99_high_us=p99_high_us,
        memory_bytes=max((arm.memory_bytes for arm in valid if arm.memory_bytes is not None), default=None),
        ceiling_rps=_middle(arm.ceiling_rps for arm in valid),
        limit=_usual_limit(valid),
        worker_shares=valid[-1].worker_shares if valid else (),
        share_of_picks=choice.picks.get(candidate, 0.0) if choice else 0.0,
    )


def _standing(candidate: Candidate, choice: Choice | None, why: str | None, valid: Sequence[Measured]) -> Standing:
    if not valid:
        return "failed"
    if choice is not None and candidate == choice.recommended:
        return "recommended"
    if choice is not None and candidate in choice.ties:
        return "tie"
    return "behind" if why else "below"


def _of_best(candidate: Candidate, fitted: Fit | None, choice: Choice | None) -> float | None:
    """Throughput over that of the best, where blocks connect the two."""
    if fitted is None or choice is None or choice.best not in fitted.order:
        return None
    return math.exp(fitted.against(candidate, choice.best).mean)


def _p99(valid: Sequence[Measured]) -> tuple[float | None, float | None, float | None]:
    """The geometric mean over the blocks, in microseconds, and the ends of its interval; None where not resolved.

    It is resolved when ten responses of all blocks were slower. A block counts when two of its own were.
    """
    counted = [(arm.requests, arm.p99_us) for arm in valid if arm.p99_us and arm.requests * BEYOND_P99 >= LEAST_BEYOND]
    if sum(requests for requests, _ in counted) * BEYOND_P99 < SAMPLES_BEYOND:
        return None, None, None
    over_blocks = estimate([math.log(p99_us) for _, p99_us in counted])
    low, high = over_blocks.interval() if len(counted) > 1 else (math.nan, math.nan)
    ends = (None, None) if math.isnan(low) else (math.exp(low), math.exp(high))
    return math.exp(over_blocks.mean), *ends


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _usual_limit(valid: Sequence[Measured]) -> str | None:
    limits = Counter(arm.limit for arm in valid if arm.limit is not None)
    return limits.most_common(1)[0][0] if limits else None
