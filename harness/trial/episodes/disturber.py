"""What does a disturbance while an episode runs; each kind has a file beside this one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from harness.machine.process import Process
from harness.record import Deployed
from harness.spec.held import HeldLog
from harness.subject.launch import Launched
from harness.suite import Group, Open
from harness.trial.bench import Bench


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it is done: to this server, in an episode of this strength."""

    bench: Bench
    group: Group
    server: Launched
    strength: int
    load: Open
    """Of the victim."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, as far as it was more than load."""

    held: HeldLog | None = None
    deployed: Deployed | None = None


class Disturber(Protocol):
    """Ready before the load begins, and ended with it."""

    @property
    def process(self) -> Process | None:
        """Our helper, whose CPU is ours and nobody else's; None: there is none."""

    def begin(self, start_ns: int, end_ns: int) -> None:
        """Disturb between these moments of CLOCK_MONOTONIC, without waiting for them; raises `LoadError`."""

    def done(self) -> Done:
        """What was done, once it is over; raises `LoadError` where that cannot be said."""


class _Load:
    """Disturbs by its load alone."""

    process = None

    def begin(self, start_ns: int, end_ns: int) -> None:
        """The load is told before it begins."""

    def done(self) -> Done:
        """There is nothing beside the load."""
        return Done()


@contextmanager
def load_alone(stage: Stage) -> Iterator[Disturber]:  # noqa: ARG001 - the server is left alone
    """Nothing is done but that the load changes (`Episodes.offered`)."""
    yield _Load()
