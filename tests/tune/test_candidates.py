"""Which numbers of workers and threads are worth trying."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.tune.candidates import Candidate, ample, candidates, groups, ladder, nearest, refinements
from tests.tune.tune_support import service, workers


def test_the_ladder_goes_just_past_the_knee():
    """Steps of one and a half, the last far enough beyond to show a plateau."""
    assert ladder(16) == (1, 2, 3, 5, 8, 12, 18, 27)
    assert ladder(1) == (1, 2)


def test_candidates_hold_the_knee_and_the_rule_of_thumb():
    """16 connections on one core: 1 to 27, with 2C + 1 = 3 among them."""
    assert candidates(service()) == workers(1, 2, 3, 5, 8, 12, 16, 18, 27)
    assert Candidate(9) in candidates(service(cores=4))


def test_an_ample_load_has_more_connections_than_the_cpu_can_have_in_hand():
    """So that the service decides which settings are best; within bounds, also where the CPU a request is not known."""
    assert ample(1, 0.022, 0.0017) == 52
    assert ample(4, 0.022, 0.0017) == 207
    assert (ample(1, 0.001, 0.001), ample(8, 0.05, 0.0005), ample(1, 0.05, 0.0)) == (32, 256, 256)


def test_cpu_bound_work_is_tried_up_to_the_cores_and_two_c_plus_one():
    """Nothing waits, so one worker a core is the knee."""
    cpu_bound = service(unloaded_s=0.001, connections=64)
    assert candidates(cpu_bound) == workers(1, 2, 3)
    assert candidates(replace(cpu_bound, cores=4)) == workers(1, 2, 3, 4, 5, 9)


def test_event_loops_are_tried_up_to_the_cores():
    """An event loop holds all requests that wait; only CPU asks for more loops."""
    assert candidates(service(slots="loop", slots_a_worker=math.inf, connections=64)) == workers(1, 2, 3)


def test_one_process_servers_have_one_candidate_or_a_row_of_threads():
    """Workers are no factor where there is only one."""
    assert candidates(service(many_workers=False)) == workers(1)
    row = candidates(service(many_workers=False, slots="threads"))
    assert {candidate.workers for candidate in row} == {1}
    assert Candidate(1, 16) in row


def test_threads_are_a_sparse_grid_around_the_knee():
    """Slots come to the knee or half as much again, on one worker also to less; one group holds them."""
    grid = candidates(service(slots="threads"))
    assert Candidate(1, 16) in grid
    assert Candidate(2, 8) in grid
    assert Candidate(3, 8) in grid
    assert len(grid) <= 8
    assert max(candidate.slots for candidate in grid) <= 27


def test_memory_caps_the_candidates_and_the_groups():
    """What cannot be deployed is not measured, and a group fits into what the machine has left."""
    capped = service(worker_bytes=10, memory_bytes=125, room_bytes=200)
    fitting = candidates(capped)
    assert max(candidate.workers for candidate in fitting) == 12
    for group in groups(capped, fitting, Candidate(5)):
        assert sum(candidate.workers for candidate in group) <= 20
        assert Candidate(5) in group


def test_one_worker_is_tried_whatever_it_costs():
    """The smallest candidate is never left out for its memory."""
    assert candidates(service(worker_bytes=100, memory_bytes=10)) == workers(1)


def test_groups_share_a_reference_and_hold_eight_at_most():
    """Candidates that were never in the same block can be compared through it."""
    many = workers(*range(1, 21))
    made = groups(service(), many, Candidate(10))
    assert {candidate for group in made for candidate in group} == set(many)
    assert all(Candidate(10) in group and len(group) <= 8 for group in made)


def test_refinements_lie_half_way_to_the_neighbours():
    """On the logarithmic scale; in a grid in both directions."""
    assert refinements(service(), workers(8, 12, 18), Candidate(12)) == workers(10, 15)
    grid = refinements(service(slots="threads"), [Candidate(1, 8), Candidate(1, 16), Candidate(4, 4)], Candidate(1, 16))
    assert grid == (Candidate(1, 11), Candidate(2, 8))


def test_the_reference_is_near_the_knee():
    """It is likely to be among the finalists."""
    assert nearest(workers(1, 2, 3, 5, 8, 12), 9) == Candidate(8)
