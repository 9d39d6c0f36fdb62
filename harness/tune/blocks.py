"""The records of the blocks: what is measured first, and what each block showed of its candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.strict import STRICT
from harness.tune.candidates import Candidate, Service
from harness.tune.estimate import Throughputs

BlocksEnding = Literal["settled", "blocks", "time is up", "nothing valid"]
"""Why no further block is measured; blocks: there were `Setup.most_blocks`, and the choice was not clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is measured first, and the numbers of the rule."""

    __pydantic_config__ = STRICT

    service: Service
    first: tuple[tuple[Candidate, ...], ...]
    """The groups of the first blocks."""
    margin: float = 0.05
    blocks: int = 5
    """That each finalist has at least."""
    most_blocks: int = 20
    """That a finalist has at most, whether the choice is clear or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One candidate in one block."""

    __pydantic_config__ = STRICT

    candidate: Candidate
    throughput_rps: float | None = None
    """None unless it was validly measured."""
    requests: int = 0
    """Answers of which `p99_us` is the 99th percentile, however few."""
    p99_us: float | None = None
    memory_bytes: int | None = None
    shared_bytes: int | None = None
    """Of it the pages that are not one process's alone."""
    shared_lost_bytes: int | None = None
    """What less of these there was after the last slice than before any load."""
    first_answer_s: float | None = None
    """From its start to its first answer."""
    limit: str | None = None
    ceiling_rps: float | None = None
    cpu_s_per_request: float | None = None
    worker_shares: tuple[float, ...] = ()
    """Share of the answers by worker process, falling."""
    error: str | None = None
    """Why there is no throughput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOutcome:
    """All that a block showed."""

    __pydantic_config__ = STRICT

    measured: tuple[Measured, ...]
    took_s: float

    @property
    def rps(self) -> Throughputs:
        """Throughput of the candidates that were validly measured."""
        return {arm.candidate: arm.throughput_rps for arm in self.measured if arm.throughput_rps}


def counts(blocks: Sequence[BlockOutcome]) -> Counter[Candidate]:
    """In how many blocks each candidate was validly measured."""
    return Counter(candidate for block in blocks for candidate in block.rps)
