"""Directories of runs under results/: made, listed, found by name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.errors import UsageError

INFO, TRIALS = "run.json", "trials.jsonl"


def new_folder(results: Path, suite: str, now: datetime | None = None) -> Path:
    """A directory for a new run, `results/<UTC time>-<suite>`; a run is never overwritten."""
    stem = f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}-{suite}"
    for number in range(1, 1000):
        folder = results / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            message = f"cannot make {folder}: {error}"
            raise UsageError(message) from error
        return folder
    message = f"{results}/{stem}: too many runs in one second"
    raise UsageError(message)


def find(name: str, results: Path) -> Path:
    """The directory of the run called `name`: a path, or the name (or an unambiguous part of it) under `results`."""
    if (Path(name) / INFO).is_file():
        return Path(name)
    runs = [path for path in folders(results) if name == path.name] or [p for p in folders(results) if name in p.name]
    if name == "latest" and (every := folders(results)):
        return every[-1]
    if len(runs) == 1:
        return runs[0]
    found = f"{len(runs)} runs match: {', '.join(path.name for path in runs[:5])}" if runs else "no such run"
    message = f"{name}: {found} (looked in {results}/ for a directory with {INFO})"
    raise UsageError(message)


def folders(results: Path) -> list[Path]:
    """Directories of the runs under `results`, oldest first; before them those that carry no time, as references."""
    return sorted(
        (path.parent for path in results.glob(f"*/{INFO}")), key=lambda one: (one.name[:1].isdigit(), one.name)
    )
