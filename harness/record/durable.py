"""Files that are either the old one or the new one, whenever the machine stops."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.errors import StorageError
from harness.machine.namespace import outside

_REMEDIES = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room in your quota of the disk",
    errno.EFBIG: "raise the limit of the size of a file (ulimit -f)",
    errno.EROFS: "make the file system writable",
    errno.EACCES: "make the folder writable",
    errno.ENOENT: "put the folder back",
}
_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP}


def replace(path: Path, content: bytes) -> None:
    """Give `path` this content, so that a reader finds the old content or the new one, and never a part of it.

    The content goes into a file beside it and to the disk, then takes the name of `path`; the name goes to the disk
    last. A file that has this content already is not written again. What a killed process has left of such a file for
    `path` is removed. Raises `OSError` when that fails, with `path` as it was and nothing left beside it.
    """
    _sweep(path)
    if _holds(path, content):
        sync_folder(path.parent)  # the process that gave it its name may have been killed before it did this
        return
    # The process id, as the machine has it, keeps two that replace the same file from writing into one another's.
    aside = path.with_name(f"{path.name}.{outside().harness.pid}.part")
    try:
        with aside.open("wb") as file:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    sync_folder(path.parent)


def _sweep(path: Path) -> None:
    """Remove the files beside `path` that were to take its place and whose process has ended.

    A process that lives holds the lock of its file, wherever it runs; where there are no locks all of them stay.
    """
    ours = re.compile(rf"{re.escape(path.name)}\.(\d+)\.part")
    for aside in [each for each in path.parent.iterdir() if ours.fullmatch(each.name)]:
        with contextlib.suppress(OSError), aside.open("rb") as file:  # locked, gone, or on a disk that takes no writes
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            aside.unlink()


def _holds(path: Path, content: bytes) -> bool:
    """Whether `path` is a file with this content already, which is brought to the disk."""
    try:
        if not path.is_file() or path.is_symlink() or path.stat().st_size != len(content):
            return False
        with path.open("rb") as file:
            if file.read() != content:
                return False
            os.fsync(file.fileno())
    except OSError:  # whoever writes it then hears why it cannot be written
        return False
    return True


@contextlib.contextmanager
def explained(folder: Path, go_on: str) -> Iterator[None]:
    """Turn an `OSError` into a `StorageError`: what is to be done, and the command `go_on` that goes on then."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "look after the disk")
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StorageError(
            f"{folder} cannot be written: {reason}; what was measured before is kept. {remedy[0].upper()}{remedy[1:]}, "
            f"then: {go_on}"
        ) from error


def make_folder(folder: Path, *, exist_ok: bool = False) -> None:
    """Make `folder` and the parents that it lacks, and bring their names to the disk.

    Raises `FileExistsError` where it is there already, unless `exist_ok`, and `OSError` when the disk fails.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=exist_ok)
    for path in reversed(missing):
        sync_folder(path.parent)


def append(file: IO[bytes], line: bytes) -> None:
    """Add `line` to the end of `file`, which is unbuffered, and bring it to the disk.

    Raises `OSError` when that fails; what was written of the line is then cut off again, as far as the disk allows.
    """
    end = os.fstat(file.fileno()).st_size
    try:
        rest = memoryview(line)
        while rest:  # a disk that fills up takes the first part of a line
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(file.fileno(), end)
        raise


def cut_torn_line(path: Path) -> None:
    """Cut off what follows the last line end of `path`: a line that a kill has left unfinished.

    The file is cut shorter where it lies. Raises `OSError` when the disk fails.
    """
    with path.open("rb+") as file:
        content = file.read()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            file.truncate(end)
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk: files that were made, renamed or removed.

    A file system that cannot do this for a folder is taken as it is; raises `OSError` when the disk fails.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)
