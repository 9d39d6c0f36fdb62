"""Files that are either the old one or the new one, whenever the machine stops."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP}


def replace(path: Path, content: bytes) -> None:
    """Give `path` this content, so that a reader finds the old content or the new one, and never a part of it.

    The content goes into a file beside it and to the disk, then takes the name of `path`; the name goes to the disk
    last. Raises `OSError` when that fails, with `path` as it was and nothing left beside it.
    """
    # The process id keeps two processes that replace the same file from writing into one another's.
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    sync_folder(path.parent)


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
