"""What is ending: the servers of a block that is over, while those of the next one start."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self


class Ending:
    """Owns servers that have been asked to stop. They have ended once `wait` returns, and when its own block is left.

    A server takes a while to end, and most of it is waiting, of a parent for its workers. Meanwhile the next ones
    import their targets. Nothing is measured before `wait`.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        """Wait with `take` already where servers are to end `at_once`."""
        self._at_once = at_once
        self._servers: ExitStack | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    @property
    def busy(self) -> bool:
        """Whether there are servers that nobody has waited for."""
        return self._servers is not None

    def take(self, servers: ExitStack) -> None:
        """Own what ends `servers`, which have been asked to stop."""
        self.wait()
        self._servers = servers.pop_all()
        if self._at_once:
            self.wait()

    def wait(self) -> None:
        """Wait until all have ended; raises what their end raises."""
        servers, self._servers = self._servers, None
        if servers is not None:
            servers.close()

    def log(self, folder: Path, arm: str, block: int) -> Path:
        """Where the server of `arm` in `block` logs: not into the file that the one before it may still write to."""
        second = block % 2 == 1 and not self._at_once
        return folder / f"{arm}{'-2' if second else ''}.log"
