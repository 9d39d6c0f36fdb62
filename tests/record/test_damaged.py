"""Damaged records: a run, or one message with file and line; never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness import record
from harness.errors import RecordError
from harness.strict import adapter
from tests import factories

Read = TypeVar("Read")
RUN = factories.simulated_run()
LINES = [adapter(record.Trial).dump_json(trial) for trial in RUN.trials[:3]]
INFO = adapter(record.RunInfo).dump_json(RUN.info)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
    st.just([[None]]),
    st.just(10**400),
)
DAMAGED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` cut, with bytes flipped or put in, or with a value of another type somewhere in it."""
    kind = draw(st.sampled_from(["cut", "flip", "insert", "swap", "drop", "format 1"]))
    place = draw(st.integers(0, len(whole) - 1))
    if kind == "cut":
        return whole[:place]
    if kind == "flip":
        return whole[:place] + bytes([draw(st.integers(0, 255))]) + whole[place + 1 :]
    if kind == "insert":
        return whole[:place] + draw(st.binary(min_size=1, max_size=9)) + whole[place:]
    table = json.loads(whole)
    if draw(st.booleans()):
        table["format"] = 1
    if kind == "format 1":
        table["format"] = 1
    else:
        _swap(draw, table, drop=kind == "drop")
    return json.dumps(table).encode()


def _swap(draw: st.DrawFn, table: Any, *, drop: bool) -> None:
    """Replace or drop a value at a random place of a parsed record."""
    while True:
        keys = list(table) if isinstance(table, dict) else list(range(len(table)))
        key = draw(st.sampled_from(keys))
        inner = table[key]
        if not inner or not isinstance(inner, dict | list) or draw(st.booleans()):
            break
        table = inner
    if drop:
        del table[key]
    else:
        table[key] = draw(VALUES)


def outcome(reader: Callable[[Path], Read], folder: Path) -> Read | str:
    """What is read, or the message that says why not."""
    try:
        return reader(folder)
    except RecordError as error:
        return str(error)


@DAMAGED
@example(position=1, line=b"[" * 100_000)
@example(position=0, line=b'{"format": 1}')
@example(position=0, line=b'{"format": ' + b"9" * 5000 + b"}")
@example(position=2, line=b"\xff\xfe")
@given(position=st.integers(0, 2), line=st.sampled_from(LINES).flatmap(damaged))
def test_a_damaged_row_is_read_or_refused_by_file_and_line(tmp_path: Path, position: int, line: bytes) -> None:
    """A line end in the damage makes two lines of it."""
    (tmp_path / record.INFO).write_bytes(INFO)
    lines = [*LINES[:position], line, *LINES[position + 1 :]]
    (tmp_path / record.TRIALS).write_bytes(b"\n".join(lines) + b"\n")
    run = outcome(record.read, tmp_path)
    if isinstance(run, str):
        assert f"{record.TRIALS}:{position + 1}" in run or b"\n" in line
    else:
        assert len(run.trials) + run.superseded >= 2


@DAMAGED
@example(content=b"[" * 100_000)
@example(content=b"null")
@given(content=damaged(INFO))
def test_a_damaged_head_is_read_or_refused_by_file(tmp_path: Path, content: bytes) -> None:
    """And the list of runs shows the run all the same."""
    (tmp_path / "run").mkdir(exist_ok=True)
    (tmp_path / "run" / record.INFO).write_bytes(content)
    assert record.folders(tmp_path) == [tmp_path / "run"]
    info = outcome(record.read_info, tmp_path / "run")
    assert record.INFO in info if isinstance(info, str) else isinstance(info, record.RunInfo)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_row_cut_at_any_byte_is_torn_at_the_end_and_refused_in_the_middle(tmp_path: Path, end: bytes) -> None:
    """Whatever character or number the cut goes through."""
    (tmp_path / record.INFO).write_bytes(INFO)
    for length in range(1, len(LINES[0]), 97):
        (tmp_path / record.TRIALS).write_bytes(LINES[1] + b"\n" + LINES[0][:length] + end)
        if end:
            with pytest.raises(RecordError, match=r"trials\.jsonl:2"):
                record.read(tmp_path)
        else:
            assert record.read(tmp_path).torn == 1


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("histogram",), "x", r"trials\.jsonl:1: histogram: .*not an HdrHistogram V2"),
        (("cell", "workers"), 0, r"trials\.jsonl:1: cell\.workers"),
        (("slices", 0, "length_s"), 1e300, r"trials\.jsonl:1: slices\.0\.length_s"),
        (("requests",), 10**30, r"trials\.jsonl:1: requests"),
        (("plan", "groups", 0, "arms", 0, "id"), "other", r"run\.json: plan\.groups\.0: .*group does not have: p1a"),
        (("plan", "groups", 0, "arms"), [], r"run\.json: plan\.groups\.0: .*a group has arms"),
        (("plan", "groups", 0, "arms", 1, "loads"), [], r"run\.json: plan\.groups\.0: .*the same phases"),
        (("plan", "factors", 0, "levels"), "count", r"run\.json: plan: .*only workers and threads are counted"),
        (("plan", "blocks"), 0, r"run\.json: plan\.blocks"),
        (("plan", "margin"), 0.0, r"run\.json: plan\.margin"),
    ],
)
def test_what_no_report_could_be_made_of_is_refused_by_key(
    tmp_path: Path, keys: tuple[str | int, ...], value: object, said: str
) -> None:
    """Each once ended in a traceback: a value that the type allows, and the rest of the record does not."""
    files = {record.INFO: json.loads(INFO), record.TRIALS: json.loads(LINES[0])}
    inner = files[record.INFO if keys[0] == "plan" else record.TRIALS]
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    for name, table in files.items():
        (tmp_path / name).write_text(json.dumps(table) + "\n")
    with pytest.raises(RecordError, match=said):
        record.read(tmp_path)
