"""A suite as the text of a TOML file with comments, for a person to go on with."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.suite.model import Side
from harness.suite.subjects import Expect, Scenario, Target

MOST_ROUTES = 40
"""Other routes that are listed in a comment."""


def written(
    file: Path,
    targets: Sequence[Target],
    scenario: Scenario,
    sides: tuple[Side, Side],
    routes: Iterable[str],
    note: str,
) -> str:
    """The text of the suite `file`: paths in it are relative to its folder where they lie below it.

    `note` is what a reader should know of the pair.
    """
    a, b = sides
    parts = [
        _head(file.name, note),
        *(_target(target, file.parent) for target in targets),
        _scenario(scenario, routes),
        _pairs(scenario, a, b),
    ]
    return "\n\n".join(parts) + "\n"


def _head(name: str, note: str) -> str:
    return f"""\
# Begun by `gatebench init`. Every key: docs/EXTENDING.md of gatebench. What to do with it:
#   gatebench verify {name}   are the answers still right?
#   gatebench run {name}      which side of the pair is better, with error bars and reasons
#   gatebench tune {name}     how many workers to deploy of side b

about = {_text(note)}"""


def _target(target: Target, folder: Path) -> str:
    python = "" if target.python == sys.executable else _below(Path(target.python), folder)
    return f"""\
# What is measured. Paths are relative to this file; `packages` are those whose versions each run notes.
[[target]]
name = {_text(target.name)}
interface = {_text(target.interface)}
app = {_text(target.app)}
folder = {_text(_below(Path(target.folder), folder))}
{f"python = {_text(python)}" if python else "# python = '...'  # its interpreter; left out: that of gatebench"}
packages = [{", ".join(map(_text, target.packages))}]
handler = {_text(target.handler)}  # how a request is handled: sync, async, threadpool, or blocking (async that blocks)
{_env(target) or '# env = { SETTING = "value" }'}
# ready_path = "/health"  # it is ready when this succeeds
# ready_s = 30
# setup = [["{{python}}", "manage.py", "migrate"]]  # before its first launch
# teardown = []  # after its last"""


def _env(target: Target) -> str:
    stated = ", ".join(f"{_text(name)} = {_text(value)}" for name, value in target.env.items())
    return f"env = {{ {stated} }}" if stated else ""


def _scenario(scenario: Scenario, routes: Iterable[str]) -> str:
    (asked,) = scenario.requests
    others = [route for route in routes if route != asked.path]
    listed = "".join(f"\n#   {_text(route)[1:-1]}" for route in others[:MOST_ROUTES])
    more = f"\n#   and {len(others) - MOST_ROUTES} more" if len(others) > MOST_ROUTES else ""
    return f"""\
# The request, and what the app answered when this was written: a wrong answer is never a measurement.
[[scenario]]
name = {_text(scenario.name)}
about = {_text(scenario.about)}
request = {{ path = {_text(asked.path)} }}
expect = {_expect(asked.expect)}
connections = {scenario.connections}""" + (f"\n# Other paths that take a GET:{listed}{more}" if others else "")


def _expect(expect: Expect) -> str:
    stated = {"sha256": expect.sha256, "sha256_json": expect.sha256_json, "body_bytes": expect.body_bytes}
    keys = [f"status = {expect.status}"]
    keys += [f"{key} = {json.dumps(value)}" for key, value in stated.items() if value is not None]
    return f"{{ {', '.join(keys)} }}"


def _pairs(scenario: Scenario, a: Side, b: Side) -> str:
    sides = [f"{{ target = {_text(side.target)}, server = {_text(side.server)} }}" for side in (a, b)]
    return f"""\
# What is compared: b is judged against a. `gatebench list servers` has more servers.
[[pair]]
scenario = {_text(scenario.name)}
a = {sides[0]}
b = {sides[1]}

# The same with more workers:
# [[pair]]
# scenario = {_text(scenario.name)}
# workers = 2
# a = {sides[0]}
# b = {sides[1]}"""


def _below(path: Path, folder: Path) -> str:
    """`path` relative to `folder` where it lies below it, else as it is. Links stay: an interpreter often is one."""
    relative = os.path.relpath(path, folder.resolve())
    return str(path) if relative.startswith("..") else relative


def _text(value: str) -> str:
    """A string of TOML, which escapes as JSON does, and all control characters."""
    quoted = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f]", lambda match: f"\\u{ord(match[0]):04x}", quoted)
