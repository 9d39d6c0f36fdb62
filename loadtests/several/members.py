"""Where the generators of a crew run. Today: processes of this machine; an agent on another will stand beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeAlias

from harness.spec import dump
from loadtests.several.messages import Join

_END_S = 2.0


class Member(Protocol):
    """A generator's process, wherever it runs."""

    def gone(self) -> str | None:
        """How it ended; None while it runs."""

    def end(self) -> None:
        """End it."""


Start: TypeAlias = Callable[[Join], Member]
"""Starts a generator, which joins as it is told."""


class LocalMember:
    """A process of this machine. It ends when its standard input does, so at the latest with ours."""

    def __init__(self, join: Join) -> None:
        argv = [sys.executable, "-P", "-m", "loadtests", "generator"]
        self._popen = subprocess.Popen(argv, stdin=subprocess.PIPE)
        assert self._popen.stdin is not None  # noqa: S101 - it was asked for
        with suppress(BrokenPipeError):  # it has died already: `gone` says so
            self._popen.stdin.write(dump(join).encode() + b"\n")
            self._popen.stdin.flush()

    def gone(self) -> str | None:
        """See `Member`."""
        code = self._popen.poll()
        if code is None:
            return None
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def end(self) -> None:
        """See `Member`."""
        if self._popen.stdin is not None:
            with suppress(OSError):
                self._popen.stdin.close()
        try:
            self._popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


def cpus(count: int) -> list[int | None]:
    """A CPU for each of `count` generators of this machine, of those that we may use, in turns."""
    ours = sorted(os.sched_getaffinity(0))
    return [ours[number % len(ours)] for number in range(count)]
