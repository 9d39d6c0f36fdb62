"""What a plan asks of the machine beside CPUs: open files and memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.suite import Arm

SPARE_FILES = 128
"""Files that a process holds beside its connections: its own, and those of libraries and logs."""
WORKER_BYTES = 96 << 20
"""Memory that a worker may take: half as much again as those of our own targets do."""
OWN_BYTES = 512 << 20
"""Memory of the harness, the load generator and the services."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a plan asks of the machine beside CPUs."""

    server_files: int
    """Open files of the server that needs most of them."""
    generator_files: int
    """Open files of the load generator."""
    memory_bytes: int

    @classmethod
    def of(cls, groups: Iterable[Iterable[Arm]]) -> Demand:
        """What those groups ask for, one after the other.

        The generator keeps the connections of all arms of a group open; a server has its own, and as many to the
        upstream.
        """
        every = [tuple(group) for group in groups]
        together = max((sum(arm.connections for arm in group) for group in every), default=0)
        alone = max((arm.connections * 2 for group in every for arm in group), default=0)
        workers = max((sum(arm.cell.workers for arm in group) for group in every), default=0)
        return cls(alone + SPARE_FILES, together + SPARE_FILES, workers * WORKER_BYTES + OWN_BYTES)


USUAL = Demand(server_files=1024, generator_files=1024, memory_bytes=1 << 30)
"""What the shipped suites ask for at most."""
