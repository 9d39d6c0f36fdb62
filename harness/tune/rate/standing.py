"""Who holds the rate, who does not, and who is not decided, by the blocks so far; pure.

A block is one vote on each of its candidates: the objectives held, or not. As the arms of a block get the same
arrivals within seconds, a block in which nothing held says more of the machine than of them, if one of them held in
two of three blocks at least: it is dropped for all. The votes are then a sequential test between "holds nine times in
ten" and "one time in ten" (A. Wald, "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics 16
(1945), 117-186): so many more for than against, and it is decided. What loses far more than it may, in a block in which
another held, is decided at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from harness.tune.candidates import Candidate
from harness.tune.rate.asked import Offered, RateBlock, each

FOR, AGAINST = 3, 2
"""Votes more for than against that it holds; and against than for. To deploy what does not hold is the worse error."""
MOST = 7
"""Votes after which the majority decides."""
FAR = 20.0
"""Times the loss that an objective allows, above which one vote decides."""
WITNESSED = 2
"""Times that a candidate held, at least, and for each time that it missed, for its misses to be the machine's."""
FAILURES = 2
"""Blocks in which a candidate could not be measured, and never was, after which it is out."""

Decision = Literal["holds", "misses", "out"]


@dataclass(slots=True)
class Standing:
    """How often a candidate held the rate."""

    held: int = 0
    missed: int = 0
    unusable: int = 0
    far: bool = False
    """Whether it lost far more than it may beside one that held."""
    trials: list[Offered] = field(default_factory=list)
    """Those that count."""
    why: str | None = None
    """Why the last one did not."""

    @property
    def lead(self) -> int:
        """Votes more for than against."""
        return self.held - self.missed

    @property
    def decision(self) -> Decision | None:
        """None: more blocks are needed."""
        if self.lead >= FOR:
            return "holds"
        if self.lead <= -AGAINST or (self.far and self.lead < 0):
            return "misses"
        if self.held + self.missed >= MOST:
            return "holds" if self.lead > 0 else "misses"
        return "out" if not self.trials and self.unusable >= FAILURES else None

    @property
    def excess(self) -> float:
        """The loss over what is allowed in the middle one of its trials; above 1 the objectives are missed."""
        return median([each.trial.excess or 0.0 for each in self.trials] or [0.0])

    @property
    def limit(self) -> str | None:
        """What stopped it where it missed, in the last trial that says so."""
        missed = (each.trial.limit for each in reversed(self.trials) if each.trial.outcome == "exceeded")
        return next((limit for limit in missed if limit), None)

    @property
    def memory_bytes(self) -> int | None:
        """The most that it took."""
        return max((each.memory_bytes for each in self.trials if each.memory_bytes is not None), default=None)


Standings = dict[Candidate, Standing]


def stand(blocks: Sequence[RateBlock]) -> Standings:
    """Every candidate that was launched."""
    standings: Standings = {offered.candidate: Standing() for offered in each(blocks)}
    for block in usual(blocks):
        some_held = any(offered.trial.outcome == "held" for offered in block.offered)
        for offered in block.offered:
            _count(standings[offered.candidate], offered, some_held=some_held)
    return standings


def usual(blocks: Sequence[RateBlock]) -> tuple[RateBlock, ...]:
    """The blocks that count: not those in which nothing held, though something of them nearly always does."""
    held = Counter(offered.candidate for offered in each(blocks) if offered.trial.outcome == "held")
    missed = Counter(offered.candidate for offered in each(blocks) if offered.trial.outcome == "exceeded")
    sound = {candidate for candidate, count in held.items() if count >= max(WITNESSED, WITNESSED * missed[candidate])}
    return tuple(block for block in blocks if not _of_the_machine(block, sound))


def _of_the_machine(block: RateBlock, sound: set[Candidate]) -> bool:
    held = any(offered.trial.outcome == "held" for offered in block.offered)
    return not held and any(offered.candidate in sound for offered in block.offered)


def _count(standing: Standing, offered: Offered, *, some_held: bool) -> None:
    trial = offered.trial
    if trial.outcome == "invalid":
        standing.unusable += 1
        standing.why = "; ".join(trial.reasons) or None
        return
    standing.trials.append(offered)
    standing.held += trial.outcome == "held"
    standing.missed += trial.outcome == "exceeded"
    standing.far |= some_held and trial.outcome == "exceeded" and (trial.excess or 0.0) > FAR


def cpu_s(standings: Iterable[Standing]) -> float | None:
    """CPU a request at the rate, of the cheapest tenth: what the others take more of is their own doing."""
    costs = sorted(
        each.trial.cpu_s_per_request
        for standing in standings
        for each in standing.trials
        if each.trial.cpu_s_per_request
    )
    return costs[len(costs) // 10] if costs else None
