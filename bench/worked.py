"""Real apps, each from nothing to evidence, with nothing to edit but the choice of the request.

    .venv/bin/python bench/worked.py PART... [--keep results] [--budget 3m]

PART is `all` or some of `django` (a project as WSGI and as ASGI), `pygeoapi` (a service that ships a Flask and a
Starlette app) and `datasette` (ASGI). Each is a folder of bench/examples/: it is copied, gets an environment of its own
by pip, and goes the way of docs/EXAMPLES.md: init, verify, run, tune. Prints PASS or FAIL for each claim; ends with 1
when a claim fails. Needs the package registry, two CPUs, and the machine to itself for six minutes a part.

With --keep the runs of `django` and `pygeoapi` become DIR/reference-django and DIR/reference-pygeoapi, once all their
claims held; where DIR is results/, docs/EXAMPLES.md then quotes them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import reference
from bench.claims import ROOT, Answer, CallError, Claims, gatebench, tested

EXAMPLES = ROOT / "bench" / "examples"
PIP_S = 600
"""Seconds that an environment, and each step of the preparation, may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An app and how a user prepares and names it."""

    path: str
    """The request, which is all that is chosen."""
    steps: tuple[tuple[str, ...], ...] = ()
    """What its documentation asks for before it is first started; the first word is a program of its environment."""
    options: tuple[str, ...] = ()
    """Of `init`, where it cannot find out."""
    apps: tuple[str, str]
    """The two sides, as they are imported."""


PARTS: Mapping[str, Example] = {
    "django": Example(
        path="/products/",
        steps=(("python", "manage.py", "migrate"),),
        apps=("shop.wsgi:application", "shop.asgi:application"),
    ),
    "pygeoapi": Example(
        path="/collections/gauges/items?f=json",
        steps=(("pygeoapi", "openapi", "generate", "pygeoapi-config.yml", "--output-file", "openapi.yml"),),
        options=(
            *("--app", "pygeoapi.flask_app:APP", "--b", "pygeoapi.starlette_app:APP"),
            *("--env", "PYGEOAPI_CONFIG=pygeoapi-config.yml", "--env", "PYGEOAPI_OPENAPI=openapi.yml"),
        ),
        apps=("pygeoapi.flask_app:APP", "pygeoapi.starlette_app:APP"),
    ),
    "datasette": Example(path="/gauges/gauges.json", apps=("app:app", "app:app")),
}


def main() -> int:
    """Go the way of each part; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "all"], metavar="PART")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the runs that docs/EXAMPLES.md quotes there")
    parser.add_argument("--budget", default="3m", metavar="TIME", help="of each tuning; default: 3m")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatebench-worked-") as folder:
        work = Path(folder).resolve()
        parts = {
            name: partial(_worked, name, example, work, asked.keep, asked.budget) for name, example in PARTS.items()
        }
        return tested(parts, PARTS if "all" in asked.parts else asked.parts)


def _worked(name: str, example: Example, work: Path, keep: Path | None, budget: str, claims: Claims) -> None:
    """From a copy of the app to a recommendation. Raises `CallError` where a step does not come to its end."""
    before = claims.failed
    folder = _prepared(name, example, work)
    suite = f"{name}.toml"
    call = ["init", *example.options, "--path", example.path, "--out", suite, "--json"]
    found = _answer(folder, *call, may=(0,))
    claims.check("init finds out the rest, and verifies it", " ".join(call), held=_sides(folder / suite, example))
    sides = [f"{target['name']} on {server}" for target, server in zip(_both(found), found["servers"], strict=True)]
    claims.check("the two sides differ", " and ".join(sides), held=len({*sides}) == len(sides))
    verified = _answer(folder, "verify", suite, "--json")
    held = verified["checked"] == len(example.apps) and not verified["failed"]
    claims.check("verify: both answer rightly", f"{verified['checked']} answers, {verified['failed']}", held=held)
    ran = _answer(folder, "run", suite, "--json", may=(0, 1, 3))
    _of_the_run(claims, ran, sides)
    _of_the_tuning(claims, _answer(folder, "tune", suite, "--budget", budget, "--json", may=(0, 1, 3)))
    if keep is None or name not in reference.WORKED:
        return
    if claims.failed > before:
        print(f"not kept: a claim of {name} failed", flush=True)
        return
    print(f"kept: {reference.adopt(folder / ran['run'], work, keep)}", flush=True)
    if keep.resolve() == ROOT / "results":
        reference.quote()


def _prepared(name: str, example: Example, work: Path) -> Path:
    """A copy of the app with an environment of its own, made ready as its documentation says."""
    folder = work / name
    shutil.copytree(EXAMPLES / name, folder)
    _called(folder, sys.executable, "-m", "venv", ".venv")
    pip = (".venv/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    _called(folder, *pip, "--requirement", "requirements.txt")
    for program, *arguments in example.steps:
        _called(folder, f".venv/bin/{program}", *arguments)
    return folder


def _called(folder: Path, *argv: str) -> None:
    """A command of the user's in that folder; raises `CallError` where it fails."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    try:
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=PIP_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CallError(f"{' '.join(argv)}: {error}") from error
    if done.returncode:
        raise CallError(f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")


def _answer(folder: Path, *argv: str, may: tuple[int, ...] = (0, 1)) -> Answer:
    """What a verb prints in that folder; raises `CallError` where it prints none."""
    code, output = gatebench(*argv, may=may, folder=folder)
    if not output:
        raise CallError(f"gatebench {' '.join(argv)} ended with {code} and without an answer")
    answer: Answer = json.loads(output)
    return answer | {"exit": code}


def _sides(suite: Path, example: Example) -> bool:
    """Whether the suite that was written compares the two apps, and asks what was chosen."""
    written = tomllib.loads(suite.read_text(encoding="utf-8"))
    app = {target["name"]: target["app"] for target in written["target"]}
    (pair,), (scenario,) = written["pair"], written["scenario"]
    asked: str = scenario["request"]["path"]
    return (app[pair["a"]["target"]], app[pair["b"]["target"]]) == example.apps and asked == example.path


def _both(found: Answer) -> list[Answer]:
    """The targets of the two sides, which may be one."""
    targets: list[Answer] = found["targets"]
    return [targets[0], targets[-1]]


def _of_the_run(claims: Claims, ran: Answer, sides: Sequence[str]) -> None:
    claims.check("run ends with 0", f"exit code {ran['exit']}, {ran['run']}", held=ran["exit"] == 0)
    counts = f"{ran['valid']} of {ran['trials']} trials valid, {ran['failed']} failed"
    claims.check("every trial is measured, and four in five are valid", counts, held=_mostly_valid(ran))
    (pair,) = (pair for pair in ran["pairs"] if pair["primary"])
    interval = all(isinstance(pair[end], float) for end in ("low", "ratio", "high"))
    seen = f"{pair['b']} over {pair['a']}: {pair['ratio']} ({pair['low']} to {pair['high']}), {pair['verdict']}"
    named = [pair["a"].partition(" (")[0], pair["b"].partition(" (")[0]] == [*sides]
    claims.check("the pair has a verdict with an interval, and both sides are named", seen, held=interval and named)


def _mostly_valid(ran: Answer) -> bool:
    valid, trials = int(ran["valid"]), int(ran["trials"])
    return not ran["failed"] and trials > 0 and valid >= 0.8 * trials


def _of_the_tuning(claims: Claims, tuned: Answer) -> None:
    chosen = tuned.get("recommended")
    claims.check("tune ends with 0", f"exit code {tuned['exit']}", held=tuned["exit"] == 0)
    claims.check("and recommends a number of workers", f"{chosen}", held=bool(chosen))


if __name__ == "__main__":
    sys.exit(main())
