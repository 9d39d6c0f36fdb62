"""Which settings are offered the rate next, and when there are blocks enough; pure.

Each line is searched for the first of its places that holds: upwards until one does, then half-way between it and the
last that does not. The cheapest line comes first, and the next one only when no place of it holds. So a block has what
is still to be decided of the cheapest line that may hold, and beside it a witness, the settings that hold with most to
spare: it tells whether it was the machine that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.tune.candidates import GROUP, Candidate
from harness.tune.rate.asked import Asked, RateBlock, each
from harness.tune.rate.grid import Line, lines, naive
from harness.tune.rate.standing import Standing, Standings, cpu_s, stand

ARM_S, WORKER_S = 1.6, 0.4
"""What an arm, and each of its workers, take in a block beside the load: launch, warm-up, start and drain."""
FIRST, FIRST_WORKERS = (0, 2, -1, 4, -2, 6), (0, 1, -1, 2)
"""Places of the cheapest line that are tried first, from the likely one; fewer where each place is more workers."""
FIRST_SHARE = 0.4
"""Of the time that is left, what the first block may take."""
SPARE = 1.1
"""Times what a block is planned to take that must be left for it."""
ROOMY = 1.25
"""Times the least loss up to which settings have as much to spare, so that the cheapest of them is the witness."""
UNOFFERED = 3
"""Trials with a generator that cannot offer the rate, after which it is not tried again."""
UNUSABLE = 3
"""Blocks in a row without a trial that may be used, after which the next ones will hardly be better."""

RateEnding = Literal["settled", "time is up", "nothing holds", "generator", "nothing valid"]
"""Why no further block was measured."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Launch these side by side and offer each of them the rate."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Enough:
    """No block is needed, or none fits into the time that is left."""

    why: RateEnding


def decide(asked: Asked, blocks: Sequence[RateBlock], left_s: float) -> Offer | Enough:
    """What to measure after `blocks`, with `left_s` seconds left for more."""
    if why := in_vain(blocks):
        return Enough(why)
    standings = stand(blocks)
    wanted = _wanted(asked, standings)
    if not wanted:
        return Enough("settled" if any(each.decision == "holds" for each in standings.values()) else "nothing holds")
    pace = pace_of(asked, blocks)
    share = 1.0 if blocks else FIRST_SHARE
    group = _group(asked, wanted, _witness(standings), left_s * share / pace / SPARE)
    return Offer(group) if group else Enough("time is up")


def in_vain(blocks: Sequence[RateBlock]) -> RateEnding | None:
    """Why further blocks would hardly be better; None where they may be."""
    if sum(offered.trial.saturated for offered in each(blocks)) >= UNOFFERED:
        return "generator"
    last = blocks[-UNUSABLE:]
    unusable = len(last) == UNUSABLE and all(offered.trial.outcome == "invalid" for offered in each(last))
    return "nothing valid" if unusable else None


def _wanted(asked: Asked, standings: Standings) -> tuple[Candidate, ...]:
    """What is still to be decided, what matters most first; nothing where the answer is settled."""
    every = lines(asked, cpu_s(standings.values()))
    if not standings:
        return _first(asked, every)
    for line in every:
        look = _Look(line, standings)
        if look.wanted or look.first is not None:
            return tuple(dict.fromkeys(look.wanted))
    return ()


def _first(asked: Asked, every: Sequence[Line]) -> tuple[Candidate, ...]:
    """Places of the cheapest line around the likely one, the likely ones of the next two, and the rule of thumb."""
    line = every[0]
    steps = FIRST_WORKERS if line.cores else FIRST
    near = [line.places[line.likely + step] for step in steps if 0 <= line.likely + step < len(line.places)]
    others = [other.places[other.likely] for other in every[1:3]]
    thumb = naive(asked)
    most = GROUP - len(others) - (thumb is not None)
    return tuple(dict.fromkeys([*near[:2], *([thumb] if thumb else []), *others, *near[2:most]]))


class _Look:
    """A line as the blocks show it."""

    def __init__(self, line: Line, standings: Standings) -> None:
        self.line, self.standings = line, standings
        self.known = [standings.get(place, Standing()) for place in line.places]
        self.first = next((index for index, each in enumerate(self.known) if _holds(each)), None)
        """The first place that holds, as far as is known."""
        self.wanted = self._upwards() if self.first is None else self._between(self.first)

    def _between(self, first: int) -> list[Candidate]:
        """Below a place that holds: what lies half-way to the last that does not, and what is not decided."""
        last = max((index for index in range(first) if _misses(self.known[index])), default=-1)
        between = [index for index in range(last + 1, first) if self.known[index].decision is None]
        half_way = [between[len(between) // 2]] if between else []
        return self._undecided([first, *half_way, *([last] if last >= 0 else [])])

    def _upwards(self) -> list[Candidate]:
        """Where nothing holds: what is not decided at the top, or the next places up where more can help."""
        tried = [index for index, each in enumerate(self.known) if each.trials or each.unusable]
        usable = [index for index in tried if self.known[index].decision != "out"]
        if not usable:
            return self._undecided([self.line.likely]) if not tried else []
        top = usable[-1]
        if self.known[top].decision is None:
            further = [top + 1] if self.known[top].lead < 0 and self._helps(top) else []
            return self._undecided([top, *further])
        return self._undecided([top + 1, top + 3]) if self._helps(top) else []

    def _helps(self, top: int) -> bool:
        """Whether a place beyond `top` may do what it does not: more slots bring no CPU, nor a faster upstream."""
        limit, place = self.known[top].limit, self.line.places[top]
        if limit == "server-cpu":
            return place.workers < self.line.cores
        if limit == "upstream":
            return False
        stuck = [index for index in range(top) if _misses(self.known[index])]
        slower = self.known[top].excess >= self.known[stuck[-1]].excess if stuck else False
        return limit == "worker-slots" or not slower

    def _undecided(self, indices: Sequence[int]) -> list[Candidate]:
        places = [min(index, len(self.line.places) - 1) for index in indices]
        return [self.line.places[index] for index in places if self.known[index].decision is None]


def _holds(standing: Standing) -> bool:
    return standing.decision == "holds" or (standing.decision is None and standing.lead > 0)


def _misses(standing: Standing) -> bool:
    return standing.decision in ("misses", "out") or (standing.decision is None and standing.lead < 0)


def _witness(standings: Standings) -> Candidate | None:
    """The cheapest of what holds with most to spare; None where nothing holds."""
    sound = {candidate: standing.excess for candidate, standing in standings.items() if standing.lead > 0}
    most = ROOMY * min(sound.values(), default=0.0)
    return min((candidate for candidate, excess in sound.items() if excess <= most), default=None)


def _group(
    asked: Asked, wanted: Sequence[Candidate], witness: Candidate | None, left_s: float
) -> tuple[Candidate, ...]:
    """As many of `wanted` as run side by side and fit into the time, with the witness; none where not one fits."""

    def fits(group: Sequence[Candidate]) -> bool:
        return planned_s(asked, group) <= left_s and (asked.service.together(group) or len(group) == 1)

    group: list[Candidate] = []
    beside = [witness] if witness is not None else []
    for candidate in wanted:
        if candidate not in group and fits([*group, candidate]):
            whole = list(dict.fromkeys([*beside, *group, candidate]))
            group = whole if fits(whole) else [*group, candidate] if not beside else group
    return tuple(sorted(group))


def planned_s(asked: Asked, group: Sequence[Candidate]) -> float:
    """About how many seconds a block of `group` takes."""
    return sum(asked.slice_s + ARM_S + WORKER_S * candidate.workers for candidate in group)


def pace_of(asked: Asked, blocks: Sequence[RateBlock]) -> float:
    """Times the planned length that the last blocks took."""
    planned = ((block, [offered.candidate for offered in block.offered]) for block in blocks[-2:])
    return max((block.took_s / planned_s(asked, group) for block, group in planned), default=1.0)
