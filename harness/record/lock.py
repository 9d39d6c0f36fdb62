"""One harness at a time in the folder of a run.

The kernel holds the lock for the process that has the file open, and drops it when that process ends, however it ends.
The file itself stays: what it says of the holder only names it to others.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UsageError
from harness.machine.namespace import outside

FILE = "lock"
_CANNOT_LOCK = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`; raises `UsageError`, which names the holder, where another harness has it.

    A file system without locks (some network file systems) is taken as it is. Raises `OSError` where the file cannot
    be written.
    """
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(folder, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(
            descriptor, json.dumps({"pid": outside().harness.pid, "host": socket.gethostname()}).encode() + b"\n", 0
        )
        yield
    finally:
        os.close(descriptor)


def refuse_if_held(folder: Path) -> None:
    """Raise `UsageError`, which names the holder, where another harness is measuring into `folder`."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY)
    except OSError:  # no harness of this version has measured into it, or only reading is asked for
        return
    try:
        _take(folder, descriptor)
    finally:
        os.close(descriptor)


def _take(folder: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"{folder}: {_holder(descriptor)} is measuring into it: wait until it has ended, or end it"
        ) from error
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:
            raise


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 1000, 0))
        return f"gatebench, process {holder['pid']} on {holder['host']},"
    except (ValueError, KeyError, TypeError):  # it has the lock and has not written its name yet
        return "another gatebench"
