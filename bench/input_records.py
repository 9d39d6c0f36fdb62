"""Records that no run has written, for `bench/fuzz.py`: a measured one with some of its values changed."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from harness import record
from harness.record.writer import as_json
from harness.suite import Times

MEASURED = Path(__file__).resolve().parent.parent / "results" / "reference-quick"
BLOCKS = 3
FILES = (record.INFO, record.TRIALS, record.BLOCKS)
"""The files of a run that are read."""
OWN = "changed"
"""The folder of the run whose records are changed; `sound` lies beside it."""
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 3, 0.5, -0.5, 10**30, 1e308, 5e-324, 1e-300, float("nan"), float("inf"), float("-inf")),
    *("", "x", "a/../../b", "\0", "\x1b[2J", "\u202e[bold]", "{x}", "x" * 10_000, "closed", "p1a", "g9", "SElTVA=="),
    *("2026-11-24T09:00:00.000+00:00", "yesterday", [], [[]], {}, [{}], {"a": {"b": []}}, [0, 0], [None]),
)
"""What stands in the place of a value."""
KINDS = (*("like",) * 12, "value", "value", "drop", "twice", "gone", "new")
"""What is done to a line: mostly a value takes the place of one of its type, which a reader may take for true."""
CALLS = (
    *(
        f"compare {OWN}",
        f"compare {OWN} --json --fail-on-regression 5%",
        f"compare {OWN} --fail-on-regression 5% --fail-on-inconclusive",
    ),
    *(f"compare {OWN} sound", f"compare sound {OWN} --fail-on-regression 5%", f"report {OWN}", f"report {OWN}"),
    *(f"run --resume {OWN}", f"run --resume {OWN} --accept-changes", f"run --resume {OWN} --blocks 7"),
    *(f"tune --resume {OWN}", "list runs"),
)
"""Whoever reads records: `report` takes figures from them and writes the page."""
DRAWN = 0.04
"""Share of the reports whose charts are drawn, which takes longer than all else."""

Files = dict[str, bytes]
"""Name of a file -> its content."""


@dataclass(frozen=True, slots=True, repr=False)
class Changed:
    """A run whose records are changed, and who reads it."""

    files: Files
    changes: tuple[str, ...]
    """What was changed, in words."""
    line: tuple[str, ...]
    drawn: bool
    """Whether the charts of its report are drawn."""

    def __repr__(self) -> str:
        """Without the files: what was changed says more."""
        return f"{' '.join(self.line)} ({'; '.join(self.changes) or 'nothing changed'})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - what hypothesis calls
        printer.text(repr(self))


@functools.cache
def sound() -> Files:
    """A run as it is written today: the first group of a reference run, some blocks of it."""
    run = record.read(MEASURED)
    group = run.info.plan.groups[0]
    plan = replace(run.info.plan, groups=(group,), blocks=BLOCKS)
    rows = [trial for trial in run.trials if trial.group == group.id and trial.block < BLOCKS]
    blocks = [
        {"format": record.FORMAT, "group": group.id, "block": block, "sitting": 0}
        | {"times": dict.fromkeys(Times.__dataclass_fields__, 1.0)}
        for block in range(BLOCKS)
    ]
    return {
        record.INFO: json.dumps(as_json(replace(run.info, plan=plan, finished=None))).encode(),
        record.TRIALS: _lines([as_json(trial) for trial in rows]),
        record.BLOCKS: _lines(blocks),
    }


def _lines(tables: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(table).encode() + b"\n" for table in tables)


@st.composite
def changed_runs(draw: st.DrawFn) -> Changed:
    """The run of `sound` with some values changed, lost or doubled, and sometimes a torn line or an odd byte."""
    written, changes = dict(sound()), []
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3, 4)))):
        name = draw(st.sampled_from((*FILES, record.TRIALS)))
        lines = written[name].splitlines(keepends=True)
        if lines:
            number = draw(st.integers(0, len(lines) - 1))
            lines[number], change = draw(_line(lines[number]))
            changes.append(f"{name}:{number + 1}: {change}")
            written[name] = b"".join(lines)
    if draw(st.integers(0, 9)) == 0:
        name = draw(st.sampled_from(FILES))
        cut = draw(st.integers(0, len(written[name])))
        odd = draw(st.sampled_from((b"", b"\xe9", b"\0", b"\n", b"[" * 5000)))
        rest = b"" if draw(st.booleans()) else written[name][cut:]
        changes.append(f"{name}: {odd[:4]!r} at byte {cut}, and {'the rest' if rest else 'nothing'} after it")
        written[name] = written[name][:cut] + odd + rest
    line = tuple(draw(st.sampled_from(CALLS)).split())
    return Changed(written, tuple(changes), line, drawn=line[0] == "report" and draw(st.floats(0, 1)) < DRAWN)


@st.composite
def _line(draw: st.DrawFn, line: bytes) -> tuple[bytes, str]:
    """A line of a file with one of its values changed, and the change in words."""
    kind = draw(st.sampled_from(KINDS))
    if kind in {"twice", "gone"}:
        return (line.rstrip() + b"\n" + line if kind == "twice" else b""), kind
    table = json.loads(line)
    where, key, path = draw(st.sampled_from(list(_places(table))))
    if kind == "drop":
        del where[key]
        change = f"{path} is gone"
    else:
        value = draw(_like(where[key]) if kind == "like" else st.sampled_from(VALUES))
        key = draw(st.text(max_size=5)) if kind == "new" and isinstance(where, dict) else key
        where[key] = value
        change = f"{path} and {key!r} beside it: {value!r:.60}" if kind == "new" else f"{path} = {value!r:.60}"
    return json.dumps(table).encode() + b"\n", change


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Values of the type of `value`."""
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int):
        return st.sampled_from((0, 1, 2, 7, value + 1, value * 1000, 10**18))
    if isinstance(value, float):
        return st.sampled_from((0.0, 5e-324, 1e-9, 0.5, 1.0, value * 0.9, value * 1000, 1e300))
    if isinstance(value, str):
        return st.sampled_from([each for each in VALUES if isinstance(each, str)])
    if isinstance(value, list):
        return st.sampled_from((value[::-1], value[:-1], value[1:], value + value))
    return st.sampled_from((None, 0, 0.5, "x"))


def _places(value: Any, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Every place within a JSON value: what holds it, its key or number, and the path to it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield value, key, f"{path}/{key}"
        yield from _places(value[key], f"{path}/{key}")
