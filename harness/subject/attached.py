"""What runs already: neither started nor stopped by us, and only looked at where its process is named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import LaunchError
from harness.machine.identity import Identity, descendants, entry, table
from harness.machine.namespace import outside
from harness.suite import Target


@dataclass(frozen=True, slots=True)
class Attached:
    """A server that somebody else has started; it has what is asked of a process of ours."""

    name: str
    url: str
    process: Identity | None
    """Its main process; None: it is not known which."""
    proc: Path
    """Where it is seen: it is outside of a PID namespace of ours."""
    log: Path = Path(os.devnull)
    """Its own is not ours to read."""

    def alive(self) -> bool:
        """Whether its process runs; taken to be so where it is not known."""
        if self.process is None:
            return True
        now = entry(self.process.pid, self.proc)
        return now is not None and now.identity == self.process and not now.ended

    def members(self) -> list[int]:
        """Ids of its process and of all descendants; none where it is not known."""
        if self.process is None or not self.alive():
            return []
        processes = table(self.proc)
        living = {self.process} | descendants({self.process}, processes)
        return sorted(each.pid for each in living if not processes[each.pid].ended)

    def ask_to_stop(self) -> None:
        """It is not ours to stop."""

    def with_log(self, what: str) -> str:
        """`NAME WHAT; it runs already at URL`, for errors that stand in records."""
        return f"{self.name} {what}; it runs already at {self.url}"

    def died(self) -> LaunchError:
        """The error that says that it has ended."""
        return LaunchError(self.with_log(f"has ended (process {self.process.pid if self.process else 'unknown'})"))


def attached(target: Target, name: str) -> Attached:
    """What runs as `target`; raises `LaunchError` where there is no process of its `pid`."""
    proc = outside().proc
    if target.pid is None:
        return Attached(name, target.url, None, proc)
    there = entry(target.pid, proc)
    if there is None or there.ended:
        raise LaunchError(f"{name}: no process {target.pid}: correct pid, or leave it out")
    return Attached(name, target.url, there.identity, proc)
