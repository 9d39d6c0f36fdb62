"""Harnesses that are at work on one machine at a time: each has a file, and the kernel's lock on it says it lives.

The files lie in the folder of the ledgers, so they are of one user. The lock ends with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.machine import ledger
from harness.machine.namespace import outside

SUFFIX = ".harness"
LONGEST = 1000
"""Characters that are told of a command or a folder."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A harness that launches or measures: what it says of itself."""

    pid: int
    command: str
    folder: str
    """Of its run; empty where it keeps none."""

    def __str__(self) -> str:
        """As a warning names it."""
        into = f", into {self.folder}" if self.folder else ""
        return f"process {self.pid}, `{self.command}`{into}"


@contextlib.contextmanager
def announced(command: str, folder: Path | None, within: Path | None = None) -> Iterator[list[Neighbour]]:
    """Let others see that we are at work, for as long as this lasts; yields those that are so already.

    Where there is no folder for such files, or no locks, nobody is seen: that is no reason not to go on.
    """
    within = within or ledger.folder()
    ourselves = Neighbour(outside().harness.pid, command[:LONGEST], str(folder.resolve())[:LONGEST] if folder else "")
    with contextlib.ExitStack() as stack:
        others: list[Neighbour] = []
        if within is not None:
            with contextlib.suppress(OSError):
                own = _signed(ourselves, within, stack)
                others = list(_found(within, own))
        yield others


def seen(within: Path | None = None) -> list[Neighbour]:
    """Those that are at work now, of which we are none; none where there is no folder for their files.

    The files of those that have died are removed.
    """
    within = within or ledger.folder()
    if within is not None:
        with contextlib.suppress(OSError):
            return list(_found(within))
    return []


def _found(within: Path, own: Path | None = None) -> Iterator[Neighbour]:
    for path in sorted(within.glob(f"*{SUFFIX}")):
        if path != own and (each := _living(path)):
            yield each


def _signed(ourselves: Neighbour, within: Path, stack: contextlib.ExitStack) -> Path:
    """Our file, locked before it has the name that others look for: they take one without a lock for a dead one's."""
    descriptor, name = tempfile.mkstemp(dir=within, suffix=".new")
    stack.callback(os.close, descriptor)
    aside = Path(name)
    own = aside.with_suffix(SUFFIX)
    for path in (aside, own):
        stack.callback(path.unlink, missing_ok=True)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(descriptor, json.dumps(asdict(ourselves)).encode())
    return aside.rename(own)


def forget(within: Path) -> None:
    """Remove the files in that folder whose harness has died; one that cannot be removed, or locked, stays."""
    for path in within.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            _living(path)


def _living(path: Path) -> Neighbour | None:
    """What the holder of that file says of itself; None, and the file is removed, where it has died."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # it has ended meanwhile
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _parsed(os.read(descriptor, 20 * LONGEST))
    else:
        path.unlink(missing_ok=True)
        return None
    finally:
        os.close(descriptor)


def _parsed(content: bytes) -> Neighbour:
    try:
        told = json.loads(content)
        return Neighbour(int(told["pid"]), str(told["command"]), str(told["folder"]))
    except (ValueError, KeyError, TypeError):  # of another version
        return Neighbour(0, "gatebench", "")
