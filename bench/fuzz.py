"""Does any input end in a traceback, or in none at all? Definitions and command lines that nobody would write.

    .venv/bin/python bench/fuzz.py          10,000 inputs: half definitions, half command lines
    .venv/bin/python bench/fuzz.py 500      so many

Each is given to the command line in this process; nothing is launched or measured. It may end well, or with a message
and an exit code. Prints the figure, and ends with 1 at the first input that ends otherwise, made as small as it can be.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from harness.cli import app, calibrate, doctor, load, run, serve, tune, verify
from harness.errors import GatebenchError, LoadError

INPUTS = 10_000
PATIENCE_S = 20.0
"""An input that takes longer hangs: the slowest takes about one second."""
EDGES = (
    (run, "_measured"),
    (tune, "_measured"),
    (load, "run_load"),
    (serve, "_serve"),
    (calibrate, "_measured"),
    (doctor, "examine"),
    (verify, "check"),
)
"""Where verbs begin to measure, to launch or to examine the machine: by module and name."""
LOOKS = ((run, "disturbances"), (tune, "disturbances"))
"""Where they look at the machine for seconds: nothing is found, and they go on."""
SUITE = """\
about = "mine"
blocks = 3
rounds = 4
margin = 0.05
slice_s = 0.5
open_slice_s = 2.0
[upstream]
delay_ms = 20
[thresholds]
littles_law = 0.1
[[factor]]
name = "colour"
levels = ["red", "blue"]
default = "red"
on = "pair"
env = "COLOUR"
words = { red = "", blue = "blue" }
[[server]]
name = "mine"
interface = "asgi"
argv = ["{python}", "-m", "uvicorn", "{app}", "--host", "{host}", "--port", "{port}"]
packages = ["uvicorn"]
slots = "loop"
[[target]]
name = "shop"
interface = "asgi"
app = "shop:app"
packages = ["fastapi"]
handler = "async"
env = { A = "1" }
[[scenario]]
name = "hello"
about = "A greeting."
request = { method = "POST", path = "/hello", body = "x" }
expect = { status = 200, json = { hello = "world" } }
[[pair]]
scenario = "json"
a = { target = "flask", server = "gunicorn-gthread", threads = 8 }
b = { target = "fastapi", server = "uvicorn" }
workers = 2
""".splitlines()
"""A suite that is right, but for what is done to it."""
VALUES = (
    *("0", "-1", "3", "1000000", "99999999999999999999", "9" * 5000, "0x" + "f" * 5000, "1e400", "nan", "-inf", "0.5"),
    *('""', '"\\u0000"', '"a/../b"', '"{x}"', '"{"', '"{0.__class__}"', '"%s"', f'"{"x" * 10_000}"', '"\\u202e[bold]"'),
    *("[]", "[[]]", "{}", "[{}]", '["none"]', "[1, 2, 2]", "{ a = { b = [] } }", "true", "1979-05-27", "07:32:00"),
    *("[" * 500 + "]" * 500, "[" * 150 + "]" * 150, "x", "="),
)
"""What stands in the place of a value."""
WORDS = (
    *(
        "",
        "0",
        "-1",
        "1",
        "7",
        "1e9",
        "nan",
        "9" * 5000,
        "5%",
        "0%",
        "101%",
        "10m",
        "999999999h",
        "0s",
        "1GiB",
        "p99<1ms",
    ),
    *(
        "p99<100ms,errors<0.1%",
        "quick",
        "smoke",
        "latest",
        "own.toml",
        "folder.toml",
        "latin.toml",
        ".",
        "/",
        "no/such",
    ),
    *("scenario=json", "scenario=", "a=b=c", "flask", "fastapi", "uvicorn", "gunicorn-gthread", "json", "http://h:1/x"),
    *(
        "http://[",
        "://",
        "burst:0",
        "burst:10",
        "poisson",
        "X: y",
        "X",
        "throughput",
        "\udce9",
        "a\0b",
        "x" * 5000,
        "--",
        "-",
    ),
)
"""What a word of a command line may be."""

STARTS = (
    *("run own.toml", "run quick --width 5%", "run --resume latest", "plan full", "compare latest", "list suites"),
    *("tune own.toml", "tune --target flask --server gunicorn-gthread --scenario json", "verify quick"),
    *("load http://127.0.0.1:9/x --connections 1", "load http://127.0.0.1:9/x --rate 5"),
    "serve --target flask --server gunicorn-gthread",
)
"""Calls that get past the first look at them."""


class HangError(Exception):
    """An input has not ended in time."""


@dataclass
class Tally:
    """What became of the inputs."""

    codes: dict[int, int] = field(default_factory=dict)
    slowest_s: float = 0.0

    @property
    def inputs(self) -> int:
        """How many there were."""
        return sum(self.codes.values())


@st.composite
def suites(draw: st.DrawFn) -> bytes:
    """A suite with some of its lines changed, lost or doubled, and sometimes a byte that is not UTF-8."""
    lines = list(SUITE)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["value", "value", "value", "drop", "double", "text"]))
        if kind == "value":
            lines[place] = f"{lines[place].partition('=')[0]}= {draw(st.sampled_from(VALUES))}"
        elif kind == "drop":
            lines[place] = ""
        elif kind == "double":
            lines.insert(place, lines[place])
        else:
            lines[place] += draw(st.text(max_size=8))
    whole = "\n".join(lines).encode("utf-8", "surrogatepass")
    cut = draw(st.integers(0, len(whole)))
    return whole[:cut] + b"\xe9" + whole[cut:] if draw(st.integers(0, 20)) == 0 else whole


def _options() -> dict[str, list[tuple[str, bool]]]:
    """Verb -> its options, and whether they take a value."""
    group: Any = typer.main.get_command(app)
    return {
        name: [
            (option, not getattr(known, "is_flag", False))
            for known in verb.params
            for option in (*known.opts, *known.secondary_opts)
            if option.startswith("--")
        ]
        for name, verb in group.commands.items()
    }


OPTIONS = _options()


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A verb or the start of a call, some options, and words where words may stand and where not."""
    word = st.sampled_from(WORDS) | st.text(max_size=6)
    if draw(st.booleans()):
        line = draw(st.sampled_from(STARTS)).split()
    else:
        line = [draw(st.sampled_from(sorted(OPTIONS))), *draw(st.lists(word, max_size=2))]
    verb = line[0]
    for _ in range(draw(st.integers(0, 4))):
        option, takes_value = draw(st.sampled_from(OPTIONS[verb] or [("--help", False)]))
        if option != "--open":  # it would start a browser
            line += [option, draw(word)] if takes_value else [option]
    return line


def ends_well(line: list[str], tally: Tally) -> None:
    """Raise `AssertionError` unless that call ends with success or a message, and in time."""
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        done = CliRunner().invoke(app, line)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    problem = done.exception
    if problem is not None and not isinstance(problem, (GatebenchError, SystemExit, KeyboardInterrupt)):
        words = [word[:40] for word in line]
        raise AssertionError(
            f"gatebench {words} ended with {type(problem).__name__}: {str(problem)[:200]}"
        ) from problem
    code = problem.exit_code if isinstance(problem, GatebenchError) else done.exit_code
    tally.codes[code] = tally.codes.get(code, 0) + 1
    tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)


@contextlib.contextmanager
def harmless(folder: Path) -> Iterator[None]:
    """In `folder`, with nothing behind the command line that launches, measures or waits; hangs end in an error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise LoadError("nothing is measured here")

    def sees_nothing(*_: object, **__: object) -> list[object]:
        return []

    def hangs(_number: int, _frame: FrameType | None) -> NoReturn:
        raise HangError(f"not ended after {PATIENCE_S:g} s")

    (folder / "folder.toml").mkdir()
    (folder / "latin.toml").write_bytes(b'about = "\xe9"')
    before, here = signal.signal(signal.SIGALRM, hangs), Path.cwd()
    kept = [(module, name, getattr(module, name)) for module, name in (*EDGES, *LOOKS)]
    for module, name, _ in kept:
        setattr(module, name, sees_nothing if (module, name) in LOOKS else refuse)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        for module, name, value in kept:
            setattr(module, name, value)
        signal.signal(signal.SIGALRM, before)


def fuzz(inputs: int, folder: Path) -> Tally:
    """Give half as many definitions and as many command lines to the command line, in `folder`, which is empty."""
    tally = Tally()
    own = folder / "own.toml"
    chosen: Callable[..., Any] = settings(
        max_examples=max(1, inputs // 2),
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )

    @chosen
    @given(suites())
    def definitions(content: bytes) -> None:
        own.write_bytes(content)
        ends_well(["plan", str(own)], tally)

    @chosen
    @given(command_lines())
    def calls(line: list[str]) -> None:
        ends_well(line, tally)

    with harmless(folder):
        definitions()
        own.write_text("\n".join(SUITE), encoding="utf-8")
        calls()
    return tally


def main() -> int:
    """Fuzz, and print what came out."""
    inputs = int(sys.argv[1]) if sys.argv[1:] else INPUTS
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatebench-fuzz-") as folder:
        tally = fuzz(inputs, Path(folder))
    codes = ", ".join(f"{count} with {code}" for code, count in sorted(tally.codes.items()))
    took_s = time.monotonic() - began
    print(f"PASS  {tally.inputs} inputs without a traceback or a hang in {took_s:.0f} s: {codes}")
    print(f"      the slowest took {tally.slowest_s:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
