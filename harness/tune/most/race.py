"""What blocks and rounds come to: who is in the race, what each can hold, and which is to be deployed; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.tune.blocks import BlockOutcome, Setup
from harness.tune.candidates import Candidate
from harness.tune.launches import Launch
from harness.tune.most.levels import Levels, levels
from harness.tune.rate.answer import least
from harness.tune.rate.asked import RateBlock, each
from harness.tune.roster import Roster, follow
from harness.tune.tie_set import ties

MORE = 1
"""Closed blocks after the first ones, for what joins then; the rounds tell the candidates apart."""
FAILURES = 2
"""Rounds in which a candidate could not be measured, and never was, after which it is out."""


@dataclass(frozen=True)
class Race:
    """The candidates that may have the highest capacity under the objectives, or are near it."""

    setup: Setup
    blocks: Sequence[BlockOutcome]
    rounds: Sequence[RateBlock]

    @cached_property
    def roster(self) -> Roster:
        """By the blocks of closed load alone."""
        return follow(self.setup, self.blocks)

    @property
    def shown(self) -> bool:
        """Whether closed load has shown enough: the first blocks and MORE, and whoever joined was in one."""
        measured = {arm.candidate for block in self.blocks for arm in block.measured}
        joined = self.roster.fitted is not None and measured.issuperset(self.roster.finalists)
        return joined and len(self.blocks) >= len(self.setup.first) + MORE

    @cached_property
    def looks(self) -> Counter[Candidate]:
        """In how many rounds each candidate held or missed."""
        return Counter(offered.candidate for offered in each(self.rounds) if offered.trial.outcome != "invalid")

    @cached_property
    def holding(self) -> Counter[Candidate]:
        """In how many rounds each candidate held."""
        return Counter(offered.candidate for offered in each(self.rounds) if offered.trial.outcome == "held")

    @cached_property
    def failed(self) -> set[Candidate]:
        """Who could not be measured under open load."""
        failures = Counter(offered.candidate for offered in each(self.rounds) if offered.trial.outcome == "invalid")
        return {candidate for candidate, count in failures.items() if count >= FAILURES and not self.looks[candidate]}

    @cached_property
    def levels(self) -> Levels | None:
        """What each can hold; None where no candidate was validly measured."""
        fitted = self.roster.fitted
        if fitted is None:
            return None
        near = [candidate for candidate in fitted.order if candidate not in self.failed]
        return levels(fitted, self.rounds, near) if near else None

    @cached_property
    def memory(self) -> dict[Candidate, int | None]:
        """The most memory that each took."""
        seen: dict[Candidate, list[int]] = {}
        for arm in (arm for block in self.blocks for arm in block.measured):
            seen.setdefault(arm.candidate, []).extend([arm.memory_bytes] if arm.memory_bytes is not None else [])
        for offered in each(self.rounds):
            known = [offered.memory_bytes] if offered.memory_bytes is not None else []
            seen.setdefault(offered.candidate, []).extend(known)
        return {candidate: max(values, default=None) for candidate, values in seen.items()}

    def launches(self, candidate: Candidate) -> list[Launch]:
        """All that was launched of it, for a block or a round."""
        closed: list[Launch] = [arm for block in self.blocks for arm in block.measured if arm.candidate == candidate]
        return closed + [offered for offered in each(self.rounds) if offered.candidate == candidate]

    @property
    def ties(self) -> tuple[Candidate, ...]:
        """Who is within the margin of the best."""
        return ties(self.setup, self.levels, doubt=0.0) if self.levels else ()

    @property
    def chosen(self) -> Candidate | None:
        """The cheapest of them."""
        return self.cheapest(self.ties)

    def cheapest(self, candidates: Sequence[Candidate]) -> Candidate | None:
        """By memory, then workers, then threads."""
        return least({candidate: self.memory.get(candidate) for candidate in candidates})

    def cheaper(self, than: Candidate) -> tuple[Candidate, ...]:
        """The others that would be deployed in its place if they had its capacity."""
        order = self.levels.order if self.levels else ()
        return tuple(other for other in order if other != than and self.cheapest((other, than)) == other)
