"""What is ending: the servers of a block that is over, while those of the next one start."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from harness.machine.identity import PROC
from harness.machine.process import Process
from harness.subject.launch import Launched


class Ending:
    """Owns servers that were asked to stop. They have ended once `wait` returns, and when its own block is left.

    A server takes a while to end, and most of it is waiting, of a parent for its workers. Meanwhile the next ones
    import their targets, and how long they take for it is measured: so what ends does it on other CPUs.
    """

    def __init__(self, away: Sequence[int] = ()) -> None:
        """Servers end on the CPUs `away`, which no other has; where there is none, `take` waits for them."""
        self._away = tuple(away)
        self._servers: ExitStack | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    @property
    def busy(self) -> bool:
        """Whether there are servers that nobody has waited for."""
        return self._servers is not None

    def take(self, servers: ExitStack, started: Iterable[Launched]) -> None:
        """Ask those that were `started` to stop, and own what ends them: `servers`."""
        self.wait()
        for server in started:
            self._move(server)
            server.process.ask_to_stop()
        self._servers = servers.pop_all()
        if not self._away:
            self.wait()

    def wait(self) -> None:
        """Wait until all have ended; raises what their end raises."""
        servers, self._servers = self._servers, None
        if servers is not None:
            servers.close()

    def log(self, folder: Path, arm: str, block: int) -> Path:
        """Where the server of `arm` in `block` logs: not into the file that the one before it may still write to."""
        return folder / f"{arm}{'-2' if self._away and block % 2 else ''}.log"

    def _move(self, server: Launched) -> None:
        """Out of the way of the next servers; what we have not started stays where it is."""
        if self._away and isinstance(server.process, Process):
            for pid in server.process.members():
                with suppress(OSError):  # it ends meanwhile
                    for task in (PROC / str(pid) / "task").iterdir():
                        os.sched_setaffinity(int(task.name), self._away)
