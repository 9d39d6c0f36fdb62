"""Where the generators of a crew run."""

from __future__ import annotations

import os

from harness.spec.machines import Machine
from loadtests.several.members import Seat, seats

TEN, ELEVEN = Machine(host="ten"), Machine(host="eleven")


def test_generators_of_this_machine_have_its_cpus_in_turns() -> None:
    """Those that we may use."""
    ours = sorted(os.sched_getaffinity(0))
    assert seats(len(ours) + 1, []) == [Seat(cpu=cpu) for cpu in (*ours, ours[0])]


def test_generators_of_other_machines_are_dealt_out_and_numbered_on_each() -> None:
    """A machine that is named twice is one machine; two names may be one too, so they begin at different cores."""
    dealt = [(seat.where, seat.number) for seat in seats(5, [TEN, ELEVEN, TEN])]
    assert dealt == [(" on ten", 0), (" on eleven", 1), (" on ten", 1), (" on ten", 2), (" on eleven", 2)]
