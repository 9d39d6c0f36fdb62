"""What episodes show, from their rows alone: may one be used, which strength breaks the victim, how two arms differ."""

from harness.judge.episodes.breaks import BlockBreak, Break, break_of, breaks, broke
from harness.judge.episodes.causes import computed_s, turned_away
from harness.judge.episodes.contrasts import Contrast, contrasts
from harness.judge.episodes.losses import Dip, Losses, dip, for_nobody, losses, poisson
from harness.judge.episodes.records import impossible
from harness.judge.episodes.search import next_strength
from harness.judge.episodes.slots import ran_out
from harness.judge.episodes.validity import reasons

__all__ = [
    "BlockBreak",
    "Break",
    "Contrast",
    "Dip",
    "Losses",
    "break_of",
    "breaks",
    "broke",
    "computed_s",
    "contrasts",
    "dip",
    "for_nobody",
    "impossible",
    "losses",
    "next_strength",
    "poisson",
    "ran_out",
    "reasons",
    "turned_away",
]
