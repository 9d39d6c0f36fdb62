"""What stopped an arm, in words."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from harness.judge.limits import Limit, arm_bound_by, bound_by
from tests import factories
from tests.factories import EXTERNAL


@pytest.mark.parametrize(
    ("limit", "cores", "clause"),
    [
        ("server-cpu", 1, "uses up its server core"),
        ("server-cpu", 2, "uses up its 2 server cores"),
        ("cpu-quota", 1, "uses up its quota"),
        ("worker-slots", 1, "is bound by its 8 worker slots"),
        ("upstream", 1, "is bound by the upstream"),
        ("connections", 1, "is bound by the load's 32 connections"),
        ("generator", 1, "is bound by the load generator"),
        ("disk", 1, "is bound by disk"),
        (None, 1, ""),
    ],
)
def test_a_limit_is_a_clause_with_its_figures(limit: str | None, cores: int, clause: str):
    """The clause follows the name of an arm in a sentence; a limit of a later version is said by its name."""
    assert bound_by(limit, cores=cores, worker_slots=8, connections=32) == clause


def test_every_limit_has_a_clause_of_its_own():
    """No limit is said by its bare name."""
    clauses = {bound_by(limit, cores=1, worker_slots=8, connections=32) for limit in get_args(Limit)}
    assert len(clauses) == len(get_args(Limit))
    assert not any(clause.endswith(limit) for clause in clauses for limit in ("server-cpu", "worker-slots"))


def test_slots_without_a_number_are_not_counted():
    """An event loop has no number of slots."""
    assert bound_by("worker-slots", cores=1, worker_slots=math.inf, connections=64) == "is bound by its worker slots"


def test_the_figures_of_an_arm_are_its_workers_and_its_load():
    """Two workers of eight threads hold sixteen requests, and use two of four CPUs."""
    arm = factories.flask_arm(workers=2, scenario=EXTERNAL)
    assert arm_bound_by("worker-slots", arm, 4) == "is bound by its 16 worker slots"
    assert arm_bound_by("server-cpu", arm, 4) == "uses up its 2 server cores"
    assert arm_bound_by("server-cpu", arm, 1) == "uses up its server core"
    assert arm_bound_by("connections", arm, 1) == "is bound by the load's 32 connections"
