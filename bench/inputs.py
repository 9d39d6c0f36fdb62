"""Definitions and command lines that nobody would write, for `bench/fuzz.py`."""

from __future__ import annotations

from typing import Any

import typer
from hypothesis import strategies as st

from harness.cli import app

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
[[scenario]]
name = "mixed"
about = "A mix."
data = "own.csv"
data_rows = 2
login = { path = "/login", body = "x", token = "data.token" }
[[scenario.request]]
name = "a"
weight = 2
path = "/{id}?a={name}"
headers = { Authorization = "Bearer {token}" }
expect = { json = { id = "{id:json}", names = ["{name}"] }, contains = "{name}" }
[[pair]]
scenario = "json"
a = { target = "flask", server = "gunicorn-gthread", threads = 8 }
b = { target = "fastapi", server = "uvicorn" }
workers = 2
""".splitlines()
"""A suite that is right, but for what is done to it."""
DATA = "id,name\n7,Ada\n42,Grace\n"
"""The data file beside it."""
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
