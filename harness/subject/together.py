"""The processes of one arm in several pods, as one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from harness.errors import LaunchError
from harness.machine.process import Process
from harness.subject.attached import Attached


@dataclass(frozen=True, slots=True)
class Together:
    """The servers of an arm, one in each of its pods; it has what is asked of a process of ours."""

    name: str
    parts: tuple[Process, ...]

    @property
    def log(self) -> Path:
        """Of the one that matters: the first that has ended, or else the first."""
        return self._matters.log

    def alive(self) -> bool:
        """Whether all of them run: the load goes to each."""
        return all(part.alive() for part in self.parts)

    def members(self) -> list[int]:
        """Ids of the living processes of all their families."""
        return sorted(pid for part in self.parts for pid in part.members())

    def ask_to_stop(self) -> None:
        """Ask all of them to stop."""
        for part in self.parts:
            part.ask_to_stop()

    def with_log(self, what: str) -> str:
        """`NAME WHAT`, with the log of the one that matters."""
        return self._matters.with_log(what)

    def died(self) -> LaunchError:
        """How the first that has ended did so."""
        return self._matters.died()

    @property
    def _matters(self) -> Process:
        return next((part for part in self.parts if not part.alive()), self.parts[0])


AnyProcess: TypeAlias = Process | Attached | Together
"""Of what is measured: one that we started, one that runs already, or one in each of several pods."""
