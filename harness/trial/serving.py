"""An arm that serves in a block: launched, ready, and its answer known."""

from __future__ import annotations

from dataclasses import dataclass

from harness.subject.answers import Answer
from harness.subject.launch import Launched


@dataclass(frozen=True, slots=True)
class Serving:
    """An arm that runs and has answered rightly."""

    server: Launched
    answer: Answer
    digest_holds: bool
    """Whether two answers were the same to the byte, so that a digest may be held against them."""
