"""Write records: a line a trial, on disk before the next trial starts; no file is ever rewritten in place."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from harness.record import durable, lock
from harness.record.code import digests
from harness.record.commits import commits
from harness.record.conditions import DISTURBANCES, first, sittings, today
from harness.record.episodes import Episode
from harness.record.folders import BLOCKS, EPISODES, INFO, TRIALS
from harness.record.reader import read_info
from harness.record.rows import BlockRow, RunInfo, Trial
from harness.record.secrets import sealed
from harness.record.times import utc_now
from harness.strict import adapter
from harness.suite import Plan, Times

_VERBS = {"suite": "run"}
"""Kind of a run -> the verb that goes on with it, where they are called differently."""


class Writer:
    """Writes one run's records: each trial is on disk before the next one starts."""

    def __init__(self, folder: Path, trials: IO[bytes], blocks: IO[bytes], info: RunInfo) -> None:
        """Use `writing`."""
        self.folder = folder
        self.info = info
        self._trials = trials
        self._blocks = blocks
        self._episodes: IO[bytes] | None = None
        self._opened = os.fstat(trials.fileno())

    def append(self, trial: Trial) -> None:
        """Add a row, with the number of this sitting, and bring it to the disk; raises `StorageError`.

        A row that no reader would take, as with a figure that is not finite, becomes a row with `error`.
        """
        self._append(self._trials, _line(replace(trial, sitting=self._sitting)))

    def append_episode(self, episode: Episode) -> None:
        """Add the row of an episode, as `append` does; the file is there from the first one on."""
        row = replace(episode, sitting=self._sitting)
        if self._episodes is None:
            with _as_storage_error(self.folder, self.info):
                self._require_in_place()
                self._episodes = _appended(self.folder / EPISODES)
                durable.sync_folder(self.folder)
        self._append(self._episodes, adapter(Episode).dump_json(row) + b"\n")

    def close(self) -> None:
        """Close what it opened by itself."""
        if self._episodes is not None:
            self._episodes.close()

    def append_times(self, group: str, block: int, times: Times) -> None:
        """Add where the time of a block went, which is over; raises `StorageError`."""
        row = BlockRow(group=group, block=block, sitting=self._sitting, times=times)
        self._append(self._blocks, adapter(BlockRow).dump_json(row) + b"\n")

    def note_version(self, name: str, version: str) -> None:
        """Note in run.json the version of something that is known only once it runs (Redis); raises `StorageError`."""
        *before, last = self.info.sittings
        noted = replace(last, versions=last.versions | {name: version})
        self._note(
            replace(self.info, versions={name: version} | self.info.versions, sittings=(*before, noted)),
        )

    def note_plan(self, plan: Plan) -> None:
        """Note in run.json what is to be measured, where that is decided as the run goes on; raises `StorageError`."""
        self._note(replace(self.info, plan=plan))

    def finish(self) -> None:
        """Note in run.json that the run came to its end; raises `StorageError`."""
        self._note(replace(self.info, finished=utc_now()))

    def store(self, name: str, content: bytes) -> None:
        """Give a file beside the records this content, all of it or none; raises `StorageError`."""
        with _as_storage_error(self.folder, self.info):
            self._require_in_place()
            durable.replace(self.folder / name, content)

    @property
    def _sitting(self) -> int:
        return len(self.info.sittings) - 1

    def _append(self, file: IO[bytes], line: bytes) -> None:
        with _as_storage_error(self.folder, self.info):
            self._require_in_place()
            durable.append(file, line)

    def _require_in_place(self) -> None:
        """Raise `OSError` where the folder was moved or removed: it would be written to unseen, or made anew."""
        if not os.path.samestat((self.folder / TRIALS).stat(), self._opened):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _note(self, info: RunInfo) -> None:
        self.store(INFO, _head(info))
        self.info = info


@contextmanager
def writing(folder: Path, info: RunInfo) -> Iterator[Writer]:
    """Open `folder`, which is there, for a sitting of a run, its first or a later one, and hold its lock.

    run.json gets one more entry of `sittings`, with the versions of `info`. A torn last line of an earlier sitting is
    cut off. Raises `UsageError` where another harness measures into the folder, `StorageError` where it cannot be
    written, `RecordError` where its run.json cannot be read.
    """
    with ExitStack() as stack:
        with _as_storage_error(folder, info):
            stack.enter_context(lock.held(folder))
            info = _with_this_sitting(folder, info)
            durable.replace(folder / INFO, _head(info))
            trials, blocks = (stack.enter_context(_appended(folder / name)) for name in (TRIALS, BLOCKS))
            durable.sync_folder(folder)
        writer = Writer(folder, trials, blocks, info)
        stack.callback(writer.close)
        yield writer


def as_json(value: Trial | RunInfo) -> dict[str, Any]:
    """As it stands in the file."""
    stands = sealed(value) if isinstance(value, RunInfo) else value
    return dict(adapter(type(value)).dump_python(stands, mode="json"))


def _appended(path: Path) -> IO[bytes]:
    """The file, to add lines to."""
    if path.exists():
        durable.cut_torn_line(path)
    # Without a buffer: one would be written again, and fail again, when the file is closed.
    return path.open("ab", buffering=0)


def _with_this_sitting(folder: Path, info: RunInfo) -> RunInfo:
    """`info` with one more sitting; what earlier sittings were measured with stays as it stands in run.json."""
    if not (folder / INFO).exists():
        begun = replace(first(info), code=digests(info.plan), commits=commits(info.plan))
        return replace(info, sittings=(begun,))
    before = read_info(folder)
    now = today(info)
    found = {key: info.environment[key] for key in (DISTURBANCES,) if key in info.environment}
    sitting = replace(now, versions=info.versions, placement=info.placement, environment=now.environment | found)
    return replace(
        info,
        versions=info.versions | before.versions,
        environment=before.environment,
        placement=before.placement,
        sittings=(*sittings(before), sitting),
    )


def _line(trial: Trial) -> bytes:
    """The row of `trial`. It is read once before it is written: a row that cannot be read would cost the whole run."""
    text = adapter(Trial).dump_json(trial)
    try:
        adapter(Trial).validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        text = adapter(Trial).dump_json(_without_figures(trial, f"cannot be recorded: {key}: {problem['msg']}"))
    return text + b"\n"


def _without_figures(trial: Trial, error: str) -> Trial:
    return Trial(
        trial=trial.trial,
        arm=trial.arm,
        pair=trial.pair,
        group=trial.group,
        block=trial.block,
        phase=trial.phase,
        cell=trial.cell,
        load=trial.load,
        started=trial.started,
        sitting=trial.sitting,
        error=error,
    )


def _head(info: RunInfo) -> bytes:
    return adapter(RunInfo).dump_json(sealed(info), indent=1) + b"\n"


def _as_storage_error(folder: Path, info: RunInfo) -> AbstractContextManager[None]:
    verb = _VERBS.get(info.kind, info.kind)
    # As long as the folder has no run.json nothing is there to be gone on with.
    begun = (folder / INFO).exists() or bool(info.sittings)
    return durable.explained(folder, f"gatebench {verb} --resume {folder}" if begun else "start it again")
