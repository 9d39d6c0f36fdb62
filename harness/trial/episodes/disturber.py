"""What does a disturbance while an episode runs; each kind has a file beside this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.machine.process import Process
from harness.spec.held import HeldLog
from harness.subject.launch import Launched
from harness.suite import Group
from harness.trial.bench import Bench


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it is done: to this server, in an episode of this strength."""

    bench: Bench
    group: Group
    server: Launched
    strength: int


class Disturber(Protocol):
    """Ready before the load begins, and ended with it."""

    @property
    def process(self) -> Process | None:
        """Our helper, whose CPU is ours and nobody else's; None: there is none."""

    def begin(self, start_ns: int, end_ns: int) -> None:
        """Disturb between these moments of CLOCK_MONOTONIC, without waiting for them; raises `LoadError`."""

    def log(self) -> HeldLog:
        """What was held meanwhile, once it is over; raises `LoadError` where that cannot be said."""
