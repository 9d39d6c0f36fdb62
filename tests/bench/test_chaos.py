"""The hardest of the faults of `make chaos`, at a random moment."""

from __future__ import annotations

import random

import pytest

from bench.chaos import Outcome, inject, tabulate
from bench.faults import FAULTS

WITHIN_S = 4.0


@pytest.mark.live
def test_a_run_survives_that_harness_and_helper_are_killed_at_once() -> None:
    """Its rows are kept, the next start ends what is left, and the run is gone on with."""
    outcome = inject(FAULTS["harness and helper killed"], random.SystemRandom().randrange(1_000_000), WITHIN_S)
    assert not outcome.missed
    assert outcome.problems == [], f"seed {outcome.seed}"


def test_the_table_says_what_was_not_survived_and_how_it_is_repeated() -> None:
    """A fault that missed its run is neither, and is not counted."""
    faults = [FAULTS["SIGINT"], FAULTS["SIGTERM"]]
    outcomes = [
        Outcome("SIGINT", 1),
        Outcome("SIGINT", 2, missed=True),
        Outcome("SIGTERM", 3, problems=["a row is gone"]),
    ]
    said: list[str] = []
    assert not tabulate(faults, outcomes, said.append)
    assert said[1].split() == ["SIGINT", "1", "1", "1"]
    assert said[2].split() == ["SIGTERM", "1", "0", "0"]
    assert said[3].split() == ["all", "faults", "2", "1"]
    assert said[4:] == [
        "FAIL  SIGTERM: a row is gone",
        '      .venv/bin/python bench/chaos.py --count 1 --seed 3 --only "SIGTERM"',
    ]
    assert tabulate(faults, outcomes[:2], said.append)
