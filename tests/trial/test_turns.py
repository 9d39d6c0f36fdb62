"""The order of the arms in the episodes of a block."""

from __future__ import annotations

import random

from harness.trial.episodes.run import in_turn
from tests import factories
from tests.episode_support import HELD, group


def test_the_arms_of_a_pair_are_neighbours_and_every_order_comes() -> None:
    """Each arm once; which pair is first, and which arm of it, is drawn."""
    arms = [factories.flask_arm(name) if name.endswith("a") else factories.arm(name) for name in PAIRED]
    orders = {tuple(in_turn(group(HELD, *arms), random.Random(seed))) for seed in range(100)}
    assert len(orders) == 8
    for order in orders:
        assert sorted(order) == sorted(PAIRED)
        assert order[0][:2] == order[1][:2]


PAIRED = ("p1a", "p1b", "p2a", "p2b")
