"""What an app is, found out by its own interpreter: interface, framework, handler, routes. Ours never imports it.

The interpreter runs `likely.py` and `probe.py` in the app's folder, as processes with a deadline, in the environment of
a launch.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import LaunchError, UsageError
from harness.machine.guard import scratch
from harness.machine.logs import one_line
from harness.machine.process import clean_environment, running
from harness.strict import adapter
from harness.suite import Interface, Target
from harness.suite.subjects import Handler

FIND, LOOK = (Path(__file__).with_name(f"{name}.py") for name in ("likely", "probe"))
"""What the app's interpreter runs."""
LOOK_S = 30.0
"""How long an app may take to be imported."""
POETRY_S = 10.0
ENVIRONMENTS = (".venv", "venv", "env")
REQUIREMENTS = ("requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "environment.yml")
IMPORT = re.compile(r"[\w.]+:[\w.]+(\(.*\))?")
UNSET = re.compile(r"KeyError: '[A-Z][A-Z0-9_]*'|environment variable", re.IGNORECASE)
"""How apps say that a variable is not set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What an app's own interpreter says of it."""

    interface: Interface
    framework: str = ""
    """Such as `flask`; empty where it is none that we know."""
    packages: tuple[str, ...] = ()
    """The distributions of its framework that are installed."""
    handler: Handler
    lends: str = ""
    """By which function a coroutine that answers hands its work to threads; empty: none is seen to."""
    routes: tuple[str, ...] = ()
    """Paths that take a GET, as the framework writes them: those with parameters hold `<` or `{`."""
    debug: bool = False
    """Whether it is told to help its developers, at the cost of its speed."""

    def target(self, app: str, folder: Path, python: str, env: Mapping[str, str] | None = None) -> Target:
        """The target that this app is, under the name by which it is imported; `env` is added to its environment."""
        return Target(
            name=app,
            interface=self.interface,
            app=app,
            folder=str(folder),
            python=python,
            packages=self.packages,
            handler=self.handler,
            env=dict(env or {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What may be an app, by the text of its file."""

    folder: str
    """From which it is imported, relative to the one that was searched."""
    app: str


def interpreter(folder: Path, stated: str | None = None) -> str:
    """Path of the interpreter of the app in `folder`: the one that is stated, or that of its environment, or ours.

    Raises `UsageError` where the one that is stated is not there.
    """
    if stated is not None:
        path = Path(stated).absolute()  # not resolved: a virtual environment's python is a link
        if "\0" in stated or not os.access(path, os.X_OK) or path.is_dir():
            raise UsageError(f"--python {stated[:200]}: no program that can be run; name an interpreter")
        return str(path)
    places = [folder.absolute() / name for name in ENVIRONMENTS]
    places += [Path(os.environ["VIRTUAL_ENV"])] if os.environ.get("VIRTUAL_ENV") else []
    for place in (*places, *_of_poetry(folder)):
        if os.access(place / "bin" / "python", os.X_OK):
            return str(place / "bin" / "python")
    return sys.executable


def _of_poetry(folder: Path) -> list[Path]:
    """The environment that poetry has for a project of its own."""
    poetry = shutil.which("poetry")
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text())
        if poetry is None or "poetry" not in project.get("tool", {}):
            return []
        call = [poetry, "env", "info", "--path"]
        done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=POETRY_S, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    return [Path(done.stdout.strip())]


def requirements(folder: Path) -> str:
    """The file in `folder` that says what the app needs; empty where there is none."""
    return next((name for name in REQUIREMENTS if (folder / name).is_file()), "")


def candidates(folder: Path, python: str) -> tuple[Candidate, ...]:
    """What may be an app in `folder`, the likeliest first; nothing of it is imported. Raises `UsageError`."""
    return adapter(tuple[Candidate, ...]).validate_python(_probed(folder, python, FIND).get("candidates", ()))


def look(folder: Path, python: str, app: str, path: str = "", env: Mapping[str, str] | None = None) -> App:
    """Import `app`, as `module:app` or `module:create_app()`, in `folder`, and say what it is.

    `path` is the request by which its handler is judged, `env` is added to its environment. Raises `UsageError`, with
    the remedy, where it is no app or cannot be imported within LOOK_S.
    """
    if not IMPORT.fullmatch(app):
        raise UsageError(f"{app}: write module:app, or module:create_app() for one that makes the app")
    found = _probed(folder, python, LOOK, app, path, env=env)
    if problem := found.get("error"):
        raise UsageError(f"{app} {one_line(str(problem))} (imported by {python} in {folder}){_remedy(folder, problem)}")
    return adapter(App).validate_python(found)


def _remedy(folder: Path, problem: str) -> str:
    if UNSET.search(problem):
        return ": export what it reads from its environment, or give `gatebench init` --env NAME=VALUE"
    if "ModuleNotFoundError" not in problem:
        return ""
    needs = requirements(folder)
    install = f"install there what {needs} says" if needs else "install there what it needs"
    return f": {install}, or name its interpreter with --python"


def _probed(
    folder: Path, python: str, probe: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What the probe writes; raises `UsageError` where it writes nothing."""
    named = arguments[0] if arguments else str(folder)
    with tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as place:
        out = Path(place, "found.json")
        argv = [python, "-c", probe.read_text(), str(out), *arguments]
        log = Path(place, "probe.log")
        try:
            with running(argv, name=named, log=log, cwd=folder, env=clean_environment(env or {})) as process:
                process.popen.wait(LOOK_S)
                ended = process.with_log("cannot be looked at").partition("; log: ")[0]  # which goes with the folder
            found: dict[str, Any] = json.loads(out.read_bytes())
        except LaunchError as error:
            raise UsageError(f"{error}; name its interpreter with --python") from error
        except subprocess.TimeoutExpired as error:
            message = (
                f"{named}: {python} has not imported it after {LOOK_S:g} s; what it does then belongs into a function"
            )
            raise UsageError(message) from error
        except (OSError, ValueError) as error:
            raise UsageError(f"{ended} ({python} in {folder})") from error
    return found
