"""What we have started must not outlive us: the reaper is kept informed, and the next start sweeps up what is left.

Three hold one another up. The harness is a subreaper: whatever loses its parent becomes its child, and is found. The
reaper ends everything when the harness is killed. When the reaper is killed, the next start or stop of a process
notices it and starts another. When both are killed, the ledger on disk says to the next harness what to end.

In a PID namespace of our own (`namespace`) the kernel ends everything, whoever is killed, and this only tidies up.
Without one this remains: a process that left its session, lost its parent and has cleared its environment is not
recognised as ours, unless it was there when the family was last looked at. Nobody is left to end anything between the
death of both harness and reaper and the next start.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

from harness.machine import ledger, neighbours, pods
from harness.machine.identity import Family, Identity, lives, mark_of
from harness.machine.namespace import outside, pid_namespace
from harness.machine.reaper import GONE_S, end

PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2)."""
REAPER = "import sys; sys.path.insert(0, sys.argv[1]); from harness.machine.reaper import main; main()"
ROOT = Path(__file__).parents[2]
"""The folder that holds the package `harness`."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What an earlier harness of ours had left, and what became of it."""

    harness: Identity
    ended: int
    """Processes that were ended."""
    left: int
    """Processes that could not be ended."""


def sweep(within: Path | None = None) -> list[Swept]:
    """End what dead harnesses have left, by their ledgers, which are removed; harnesses that live are left alone."""
    within = within or ledger.folder()
    if within is None:
        return []
    neighbours.forget(within)
    swept = list(_swept(within))
    pods.sweep(within)
    return swept


def forget(harness: Identity) -> None:
    """Remove what `harness`, which has ended with all that it started, has left on disk."""
    if within := ledger.folder():
        path = ledger.path_of(harness, within)
        path.unlink(missing_ok=True)
        shutil.rmtree(ledger.scratch_of(path), ignore_errors=True)
        pods.forget(harness, within)
        neighbours.forget(within)


def _swept(within: Path) -> Iterator[Swept]:
    for harness, path in ledger.ledgers(within):
        if lives(harness):
            continue
        try:
            families = ledger.decode(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):  # gone meanwhile, or of another namespace, where its owner may live
            continue
        ended, left = end(families, harness)
        if not left:
            path.unlink(missing_ok=True)
            shutil.rmtree(ledger.scratch_of(path), ignore_errors=True)
        if ended or left:
            yield Swept(harness, ended, left)


@dataclass(slots=True)
class Guard:
    """The families that live, and the reaper that is told of them."""

    harness: Identity
    ledger: Path | None
    families: list[Family] = field(default_factory=list)
    reaper: subprocess.Popen[bytes] | None = None

    def entrust(self, family: Family) -> None:
        """From now on `family` is ended when we are killed."""
        self.families.append(family)
        self.tell()

    def withdraw(self, family: Family) -> None:
        """It has been stopped: its ids may be a stranger's soon."""
        if family in self.families:
            self.families.remove(family)
            self.tell()

    def tell(self) -> None:
        """Have ledger and reaper say what lives; a reaper that has died, or reads no more, is replaced."""
        if self.ledger is not None:
            ledger.write(self.ledger, self.families)
        line = ledger.encode(self.families).encode()
        if self.reaper is None or not _written(self.reaper, line):
            self._replace()
            assert self.reaper is not None  # noqa: S101 - just made
            _written(self.reaper, line)

    def dismiss(self) -> None:
        """At our end: let the reaper end what is left, and wait for it, for a while."""
        if self.reaper is not None and self.reaper.stdin is not None:
            with contextlib.suppress(OSError):
                self.reaper.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.reaper.wait(2 * GONE_S)

    def _replace(self) -> None:
        if self.reaper is not None:
            self.reaper.kill()  # it may be stopped, and would end with what it was told long ago
            self.reaper.wait(GONE_S)
            if self.reaper.stdin is not None:
                with contextlib.suppress(OSError):
                    self.reaper.stdin.close()
        harness, where = self.harness, str(self.ledger or "/nonexistent")
        self.reaper = subprocess.Popen(
            [sys.executable, "-I", "-c", REAPER, str(ROOT), str(harness.pid), str(harness.start), where],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        assert self.reaper.stdin is not None  # noqa: S101 - it was opened with PIPE
        os.set_blocking(self.reaper.stdin.fileno(), False)


def _written(reaper: subprocess.Popen[bytes], line: bytes) -> bool:
    """Whether the reaper lives and the whole line is in its pipe."""
    if reaper.poll() is not None or reaper.stdin is None:
        return False
    try:
        return os.write(reaper.stdin.fileno(), line) == len(line)
    except OSError:  # its end is closed, or the pipe is full
        return False


@cache
def guard() -> Guard:
    """The guard of this process; with the first call it becomes a subreaper, and what is left of others is swept."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ourselves = outside().harness
    within = ledger.folder()
    if outside().namespace == pid_namespace():  # else it was swept before we entered ours, which shows no others
        sweep(within)
    made = Guard(ourselves, ledger.path_of(ourselves, within) if within else None)
    made.tell()  # before anything is started: whoever ends us meanwhile leaves nothing
    atexit.register(made.dismiss)
    return made


def scratch() -> Path | None:
    """A folder for temporary files, which goes when we end, however we end; None where there is no ledger."""
    of_ours = guard().ledger
    if of_ours is None:
        return None
    folder = ledger.scratch_of(of_ours)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


_serial = count()


def next_mark() -> str:
    """The mark of a family that is started next: of this harness alone, and given once."""
    return mark_of(guard().harness, next(_serial))
