"""Which strength an arm gets next in a block; pure.

What the suite states, rising. Where the break is searched, no further than until two in a row have broken the victim,
for one may have by chance; and then the middle between the most that was borne and the fewest that broke it, until
these are neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.suite import Disturbance

ENOUGH = 2
"""Stated strengths in a row that break the victim, after which no stronger one is tried."""


def next_strength(disturbance: Disturbance, broke: Mapping[int, bool | None]) -> int | None:
    """What to try after `broke` says by strength what became of it (None: nothing is known); None: it is enough."""
    stated = [strength for strength in disturbance.strengths if strength in broke]
    rest = [strength for strength in disturbance.strengths if strength not in broke]
    if not disturbance.searched:
        return rest[0] if rest else None
    in_a_row = len(stated) >= ENOUGH and all(broke[strength] for strength in stated[-ENOUGH:])
    return rest[0] if rest and not in_a_row else _between(broke)


def _between(broke: Mapping[int, bool | None]) -> int | None:
    bore = max((strength for strength, broken in broke.items() if broken is False), default=None)
    if bore is None:
        return None
    above = [strength for strength, broken in broke.items() if broken and strength > bore]
    untried = sorted(set(range(bore + 1, min(above, default=bore))) - broke.keys())
    return untried[(len(untried) - 1) // 2] if untried else None
