"""Why a victim suffered, where the rows of its episodes show it: computation beside it, a full accept queue."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record import TICK_S, Episode

COMPUTES_S = 0.01
"""CPU seconds of a neighbour's request from which it is said to compute."""
MOST = 0.25
"""Of the time for which such a request is under way it computes at least so much; more, where it has a core for itself."""


def computed_s(quiet: Episode, disturbed: Episode) -> float | None:
    """CPU seconds of each request beside the victim, by those that the server used more than in the `quiet` episode.

    None where it is not seen, or where such a request mostly waits.
    """
    cores, usual, answers = disturbed.cores_during, quiet.cores_during, disturbed.held_answers
    if cores is None or usual is None or not answers or disturbed.during is None or disturbed.timeline is None:
        return None
    each_s = (cores - usual) * disturbed.during.length_s / answers
    under_way_s = sum(disturbed.timeline.held) * TICK_S / answers
    return each_s if each_s >= COMPUTES_S and each_s * disturbed.strength >= MOST * under_way_s else None


def turned_away(episodes: Sequence[Episode]) -> int:
    """Connections that the kernel turned away in these episodes, where some were seen to wait in the accept queue.

    0 where none is known of: the kernel counts those of the whole machine, so that a queue must be seen.
    """
    return sum(each.accept_overflows or 0 for each in episodes if each.accept_queue_most)
