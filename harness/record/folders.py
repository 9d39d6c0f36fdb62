"""Directories of runs under results/: made, listed, found by name."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import RecordError, UsageError
from harness.record import durable

INFO, TRIALS, BLOCKS, EPISODES = "run.json", "trials.jsonl", "blocks.jsonl", "episodes.jsonl"


def new_folder(results: Path, suite: str, now: datetime | None = None) -> Path:
    """A directory for a new run, `results/<UTC time>-<suite>`; a run is never overwritten.

    Of the suite's name it takes what is safe in a folder's name. Raises `UsageError` where it cannot be made.
    """
    stem = f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}-{safe(suite)}"
    for number in range(1, 1000):
        folder = results / (stem if number == 1 else f"{stem}-{number}")
        try:
            durable.make_folder(folder)
        except FileExistsError:
            continue
        except (OSError, ValueError) as error:  # a ValueError: a NUL in its name
            message = f"cannot make {folder}: {error}"
            raise UsageError(message) from error
        return folder
    message = f"{results}/{stem}: too many runs in one second"
    raise UsageError(message)


def safe(name: str) -> str:
    """`name` as part of a folder's name: letters, digits, `_` and `.` stay, each run of other characters is a `-`.

    It neither leaves the folder that it is in nor is hidden there, and it is at most 80 characters long.
    """
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:80] or "suite"


def find(name: str, results: Path) -> Path:
    """The directory of the run called `name`: a path, or the name (or an unambiguous part of it) under `results`.

    Raises `UsageError` where there is none, or `name` or `results` can be no path.
    """
    try:
        return _found(name, results)
    except (OSError, ValueError) as error:  # too long a name, or one with a NUL in it
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise UsageError(f"{name[:200]!r} cannot be looked for in {str(results)[:200]!r}: {reason}") from error


def _found(name: str, results: Path) -> Path:
    if (Path(name) / INFO).is_file():
        return Path(name)
    runs = [path for path in folders(results) if name == path.name] or [p for p in folders(results) if name in p.name]
    if name == "latest" and (every := folders(results)):
        return every[-1]
    if len(runs) == 1:
        return runs[0]
    problem = f"{len(runs)} runs match: {', '.join(path.name for path in runs[:5])}" if runs else "no such run"
    message = f"{name}: {problem} (looked in {results}/ for a directory with {INFO})"
    raise UsageError(message)


def folders(results: Path) -> list[Path]:
    """Directories of the runs under `results`, oldest start first.

    Of two that started at the same time, as a run and its copy under the name of a reference, the one whose name
    begins with a time comes last. The start of a run that cannot be read is the time in its name.
    """
    runs = (path.parent for path in results.glob(f"*/{INFO}"))
    return sorted(runs, key=lambda folder: (_started(folder), folder.name[:1].isdigit(), folder.name))


@contextlib.contextmanager
def still_there(folder: Path, go_on: str) -> Iterator[None]:
    """Turn the `RecordError` of a run that was just measured into a `StorageError` where its folder has gone since.

    `go_on` is the command that goes on once the folder is back.
    """
    try:
        yield
    except RecordError:
        with durable.explained(folder, go_on):
            (folder / INFO).stat()
        raise


def _started(folder: Path) -> datetime:
    """When the run in `folder` started; only this key is read, because run.json may be large and of any version."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        started = datetime.fromisoformat(json.loads((folder / INFO).read_bytes())["started"])
        return started if started.tzinfo else started.replace(tzinfo=UTC)
    with contextlib.suppress(ValueError):
        return datetime.strptime(folder.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)
