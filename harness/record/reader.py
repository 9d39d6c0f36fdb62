"""Read records, strictly: whatever is not as it must be is refused with file, line and key."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.errors import RecordError
from harness.record import format1
from harness.record.episodes import Episode
from harness.record.folders import BLOCKS, EPISODES, INFO, TRIALS
from harness.record.rows import FORMAT, BlockRow, RunInfo, Trial
from harness.record.run import Run
from harness.strict import adapter

T = TypeVar("T")

_NEWEST = b'{"format":%d,' % FORMAT
"""So begins a row as it is written now: it need not be parsed once more to know its format."""


def read(folder: Path) -> Run:
    """Read a run; raises `RecordError` naming file, line and key for whatever is not as it must be.

    A torn last line (a run that was killed while it wrote) is left out and counted in `Run.torn`. Of a block only the
    rows of the latest sitting that measured it are kept; the others are counted in `Run.superseded`.
    """
    info = read_info(folder)
    trials, torn = _rows(Trial, folder / TRIALS)
    blocks, _ = _rows(BlockRow, folder / BLOCKS)
    episodes, torn_too = _rows(Episode, folder / EPISODES)
    latest = _latest_sittings(trials, episodes)
    kept = tuple(trial for trial in trials if trial.sitting == latest[trial.group, trial.block])
    return Run(
        str(folder),
        info,
        kept,
        int(torn or torn_too),
        superseded=len(trials) - len(kept),
        blocks=tuple(blocks),
        episodes=tuple(each for each in episodes if each.sitting == latest[each.group, each.block]),
    )


def _rows(kind: type[T], path: Path) -> tuple[list[T], bool]:
    """The rows of a file, and whether its last line is torn."""
    rows, torn = [], False
    for number, line in enumerate(_lines(path), 1):
        if not line.endswith(b"\n"):
            torn = True
        elif line.strip():
            rows.append(_parse(kind, f"{path}:{number}", line))
    return rows, torn


def read_info(folder: Path) -> RunInfo:
    """run.json alone, of a run whose rows are not needed."""
    return _parse(RunInfo, folder / INFO, _text(folder / INFO))


def whole_blocks(run: Run) -> tuple[Trial, ...]:
    """The trials of blocks that are complete; a block that was interrupted is measured again as a whole."""
    kept: list[Trial] = []
    ended = {(row.group, row.block, row.sitting) for row in run.blocks}
    for group in run.info.plan.groups:
        mine = [trial for trial in run.trials if trial.group == group.id]
        for block in sorted({trial.block for trial in mine}):
            rows = [trial for trial in mine if trial.block == block]
            # How many episodes a block has is decided as it goes on: only its end says that they are all there.
            over = group.disturbance is None or (group.id, block, rows[0].sitting) in ended
            if over and len(rows) == len(group.arms) * len(group.phases):
                kept += rows
    return tuple(kept)


def _latest_sittings(trials: list[Trial], episodes: list[Episode]) -> dict[tuple[str, int], int]:
    """For each block the sitting whose rows count.

    A block that was interrupted is measured again as a whole: rows of two sittings never make up one block.
    """
    latest: dict[tuple[str, int], int] = {}
    rows: list[Trial | Episode] = [*trials, *episodes]
    for row in rows:
        block = row.group, row.block
        latest[block] = max(row.sitting, latest.get(block, 0))
    return latest


def _lines(path: Path) -> Iterator[bytes]:
    """Line by line, so that a large file is never held beside what is parsed from it; nothing when there is none.

    Bytes, because a torn line may end within a character.
    """
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"{path}: {error}"
        raise RecordError(message) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: {error}"
        raise RecordError(message) from error


def _parse(kind: type[T], where: Path | str, text: str | bytes) -> T:
    if isinstance(text, bytes) and text.startswith(_NEWEST):
        with contextlib.suppress(ValidationError):  # what is wrong with it is said below
            return adapter(kind).validate_json(text)
    try:
        # The format first: another version's keys would be a hundred errors that say nothing.
        table = json.loads(text)
        written = table.get("format")
        if written == format1.FORMAT:
            return adapter(kind).validate_python(format1.upgraded(table))
        if written != FORMAT:
            message = f"{where}: format {written!r}; this gatebench reads formats {format1.FORMAT} and {FORMAT}"
            raise RecordError(message)
        return adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {key}: {first['msg']} (and {error.error_count() - 1} more)"
        raise RecordError(message) from error
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        message = f"{where}: not a JSON object of a record: {error}"
        raise RecordError(message) from error
