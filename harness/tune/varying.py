"""One block more for the settings that were chosen: at the levels of factors that are for memory."""

from __future__ import annotations

from itertools import chain

from harness import units
from harness.tune.state import Session

SPARE_S, SPARE = 5.0, 2
"""What such a block may take beyond the slowest so far, for each of its two launches."""


def vary(session: Session, share: float) -> None:
    """Measure it once where there are several workers, and at most `share` of the time left goes into it.

    A single worker has nobody to share memory with.
    """
    tuning = session.tuning
    best = tuning.best
    if best is None or best.workers == 1 or (tuning.variants and tuning.variants.candidate == best):
        return
    closed = (block.took_s / len(block.measured) for block in tuning.blocks if block.measured)
    opened = (block.took_s / len(block.offered) for block in tuning.rate_blocks if block.offered)
    if SPARE_S + SPARE * max(chain(closed, opened), default=0.0) > share * session.left_s():
        return
    connections = tuning.asked.connections if tuning.asked else None
    block = session.instrument.variants(best, connections)
    if block is None:
        return
    tuning.variants = block
    session.done(block)
    shown = (
        f"{each.words or f'{each.factor} {each.level}'.strip()} {units.bytes_(each.measured.memory_bytes)}"
        for each in block.variants[1:]
    )
    as_it_is = units.bytes_(block.variants[0].measured.memory_bytes)
    session.report(f"memory of what was chosen: {as_it_is}; {', '.join(shown)}")
