"""Why a victim suffered, where the rows of its episodes show it: computation beside it, a full accept queue."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record import TICK_S, Episode

COMPUTES_S = 0.01
"""CPU seconds of a neighbour's request from which it is said to compute."""
MOST = 0.25
"""Of the time for which such a request is under way it computes so much at least, even on a core that others share."""


def computed_s(quiet: Episode, disturbed: Episode) -> float | None:
    """CPU seconds of each request beside the victim, by those that the server used more than in the `quiet` episode.

    A little less than the truth, for those that are under way at the end count too. None where it is not seen, or where
    such a request mostly waits.
    """
    cores, usual = disturbed.cores_during, quiet.cores_during
    sent = disturbed.held_answers + _under_way_at_end(disturbed)
    if cores is None or usual is None or not sent or disturbed.during is None or disturbed.timeline is None:
        return None
    more_s = (cores - usual) * disturbed.during.length_s
    under_way_s = sum(disturbed.timeline.held) * TICK_S / disturbed.strength
    return more_s / sent if more_s / sent >= COMPUTES_S and more_s >= MOST * under_way_s else None


def _under_way_at_end(episode: Episode) -> int:
    """Requests beside the victim that were not answered when the disturbance ended."""
    held = episode.timeline.held if episode.timeline is not None else ()
    last = round((episode.disturbance.before_s + episode.disturbance.during_s) / TICK_S) - 1
    return held[last] if last < len(held) else 0


def turned_away(episodes: Sequence[Episode]) -> int:
    """Connections that the kernel turned away in these episodes, where some were seen to wait in the accept queue.

    0 where none is known of: the kernel counts those of the whole machine, so that a queue must be seen.
    """
    return sum(each.accept_overflows or 0 for each in episodes if each.accept_queue_most)
