"""The rows of a data file, CSV or JSON-lines, whose values fill the requests of a mix."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import DefinitionError
from harness.suite.document import reason

LARGEST_BYTES = 64 * 2**20
COLUMN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""A column whose values can stand in a request."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one row by column; those of a CSV file are text, those of JSON-lines whatever JSON has."""

    line: int
    """In the file, counted from 1."""
    values: dict[str, Any]


def chosen(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many of the rows, as evenly spread over the file as can be."""
    count = min(most, len(rows))
    return [rows[number * len(rows) // count] for number in range(count)]


def digest(path: str) -> str | None:
    """SHA-256 of the file; None where it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None


@cache
def rows(path: str) -> tuple[Row, ...]:
    """All rows of the file, which is read once by a process; there is one at least.

    Raises `DefinitionError` with the file, the line where there is one, and what to do.
    """
    text = _text(Path(path))
    found = tuple(_of_csv(path, text) if path.endswith(".csv") else _of_lines(path, text))
    if not found:
        raise DefinitionError([f"{path}: holds no row: add one, or leave out `data`"])
    for column in found[0].values:
        if not COLUMN.fullmatch(column):
            raise DefinitionError([f"{path}: column {column!r}: call it by letters, digits and _, to write {{name}}"])
    return found


def _text(path: Path) -> str:
    if path.suffix not in {".csv", ".jsonl"}:
        raise DefinitionError([f"{path}: must be a .csv or a .jsonl file"])
    try:
        if not path.is_file():
            raise DefinitionError([f"{path}: is no file: name one, relative to the file that names it"])
        if path.stat().st_size > LARGEST_BYTES:
            raise DefinitionError([f"{path}: is larger than {LARGEST_BYTES >> 20} MiB: take fewer rows"])
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DefinitionError([f"{path}: cannot be read: {reason(error)}; name a file that you may read"]) from error
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
        raise DefinitionError([f"{path}: {problem}"]) from error
    except ValueError as error:  # a NUL in its name
        raise DefinitionError([f"{str(path)!r}: cannot be a path: {error}"]) from error


def _of_csv(path: str, text: str) -> Iterator[Row]:
    """The rows behind the first line, which names the columns; empty lines do not count."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: list[str] = []
    try:
        for row in filter(None, reader):
            if not columns:
                columns = row
                if len(set(columns)) < len(columns):
                    raise DefinitionError([f"{path}:{reader.line_num}: names a column twice"])
            elif len(row) != len(columns):
                problem = f"{len(row)} values, but the first line names {len(columns)} columns"
                raise DefinitionError([f"{path}:{reader.line_num}: {problem}"])
            else:
                yield Row(reader.line_num, dict(zip(columns, row, strict=True)))
    except csv.Error as error:
        raise DefinitionError([f"{path}:{reader.line_num}: is not CSV: {error}"]) from error


def _of_lines(path: str, text: str) -> Iterator[Row]:
    """An object a line, all with the keys of the first; empty lines do not count."""
    columns: set[str] | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DefinitionError([f"{path}:{number}: is not JSON: {error}"]) from error
        if not isinstance(values, dict):
            raise DefinitionError([f"{path}:{number}: is no object: write {{...}}, one a line"])
        columns = columns or set(values)
        if missing := sorted(columns - set(values)):
            raise DefinitionError([f"{path}:{number}: lacks {', '.join(missing)}, which the first row has"])
        yield Row(number, values)
