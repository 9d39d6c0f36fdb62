"""Write records: run.json once, a line a trial, on disk before the next one starts; nothing is ever overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from harness.record.folders import INFO, TRIALS
from harness.record.rows import RunInfo, Trial
from harness.strict import adapter
from harness.suite import Plan


class Writer:
    """Writes one run's records: each trial is on disk before the next one starts."""

    def __init__(self, folder: Path, file: IO[bytes], info: RunInfo) -> None:
        """Use `writing`."""
        self.folder = folder
        self.info = info
        self._file = file

    def append(self, trial: Trial) -> None:
        """Add a row, flushed to disk."""
        self._file.write(adapter(Trial).dump_json(trial) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def note_version(self, name: str, version: str) -> None:
        """Note in run.json the version of something that is known only once it runs (Redis)."""
        self.info = replace(self.info, versions=self.info.versions | {name: version})
        _write_info(self.folder, self.info)

    def note_plan(self, plan: Plan) -> None:
        """Note in run.json what is to be measured, where that is decided as the run goes on (tune)."""
        self.info = replace(self.info, plan=plan)
        _write_info(self.folder, self.info)

    def finish(self) -> None:
        """Note in run.json that the run came to its end."""
        self.info = replace(self.info, finished=utc_now())
        _write_info(self.folder, self.info)


@contextmanager
def writing(folder: Path, info: RunInfo) -> Iterator[Writer]:
    """Open `folder` for the records of a run, new or resumed; a torn last line of an earlier sitting is cut off."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_info(folder, info)
    path = folder / TRIALS
    if path.exists():
        _cut_torn_line(path)
    with path.open("ab") as file:
        yield Writer(folder, file, info)


def keep_only(folder: Path, trials: tuple[Trial, ...]) -> None:
    """Rewrite the records without the trials of an interrupted block; they are set aside, not lost."""
    path = folder / TRIALS
    if not path.exists():
        return
    partial = folder / f"{TRIALS}.part"
    partial.write_bytes(b"".join(adapter(Trial).dump_json(trial) + b"\n" for trial in trials))
    number = len(list(folder.glob(f"{TRIALS}.before-resume*")))
    path.rename(folder / f"{TRIALS}.before-resume{number + 1}")
    partial.rename(path)


def utc_now() -> str:
    """The time of day, as records keep it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def as_json(value: Trial | RunInfo) -> dict[str, Any]:
    """As it stands in the file."""
    return dict(adapter(type(value)).dump_python(value, mode="json"))


def _write_info(folder: Path, info: RunInfo) -> None:
    text = adapter(RunInfo).dump_json(info, indent=1)
    partial = folder / f"{INFO}.part"
    partial.write_bytes(text + b"\n")
    partial.replace(folder / INFO)


def _cut_torn_line(path: Path) -> None:
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
