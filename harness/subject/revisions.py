"""An app at two revisions of its repository: which targets these are, and how they come to stand on disk.

A plan names the folder of the user and a commit of it. Whoever launches asks `on_disk` for the folder to launch from:
the commit is checked out at the first call, and an environment made where the target names requirements. Both go when
the harness ends, and a run that is resumed has them made again.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from harness.errors import LaunchError, UsageError
from harness.machine import environment
from harness.machine.guard import scratch
from harness.machine.process import clean_environment, running
from harness.subject.repository import Revision, checked_out, copied, listed, read, repository, revision
from harness.suite import Arm, Target

REQUIREMENTS = re.compile(r"requirements[\w.-]*\.(txt|in)|pyproject\.toml|setup\.(py|cfg)|Pipfile(\.lock)?|\w+\.lock")
"""Files that say what an app needs."""
INSTALLED = ("requirements.txt", "pyproject.toml", "setup.py")
"""Those of which we make an environment: the first that is there."""
ASKED_S, MADE_S = 30.0, 600.0
"""How long a question to an interpreter may take, and each step of making an environment."""
LENT = (22, 3)
"""The first version of pip that installs for another interpreter."""
WHERE = """
import importlib.util, sys
spec = importlib.util.find_spec(sys.argv[1])
places = [spec.origin] if spec and spec.origin else list(spec.submodule_search_locations or ()) if spec else []
print(places[0] if places else "")
"""


def at(target: Target, names: Sequence[str]) -> tuple[Target, ...]:
    """`target` at each of the revisions `names` of its repository; `.` is its folder as it stands.

    Where they need different packages each gets an environment of its own. Raises `UsageError` where there is no
    repository, no such revision, or its folder is not there.
    """
    return _versions([(target, name) for name in names])


def versions(apps: Sequence[tuple[str, str]], folder: Path, python: str) -> tuple[Target, ...]:
    """The same of apps in `folder` and their revisions, of which nothing else is known yet."""
    return _versions(
        [
            (
                Target(
                    name=app, interface="wsgi", app=app, folder=str(folder), python=python, packages=(), handler="sync"
                ),
                name,
            )
            for app, name in apps
        ]
    )


def _versions(wanted: Sequence[tuple[Target, str]]) -> tuple[Target, ...]:
    """Targets of one folder, each at its revision."""
    if wanted[0][0].url:
        raise UsageError(f"--rev: {wanted[0][0].name} runs already at {wanted[0][0].url}: name a target with an app")
    folder = Path(wanted[0][0].folder)
    top = repository(folder)
    relative = folder.resolve().relative_to(top.resolve()).as_posix()
    revisions = [revision(top, name) for _, name in wanted]
    for each in revisions:
        if listed(each, relative) is None:
            raise UsageError(f"--rev {each.name}: {top} has no folder {relative} at that revision")
    needed = [_needed(each, relative) for each in revisions]
    alike = all(each == needed[0] for each in needed)
    return tuple(
        _at(target, each, () if alike else _installable(each, relative, target))
        for (target, _), each in zip(wanted, revisions, strict=True)
    )


def _at(target: Target, at: Revision, requirements: tuple[str, ...]) -> Target:
    called = "working-tree" if at.is_working_tree else at.name
    return replace(
        target,
        name=f"{target.name}@{called}",
        revision=called,
        commit="" if at.is_working_tree else at.commit,
        requirements=requirements,
        about=f"{target.name} at {called}: {at.about}",
    )


def _needed(at: Revision, folder: str) -> dict[str, Any]:
    """What the files say that an app needs, in its folder and those around it, by their paths."""
    places = [PurePosixPath(folder), *PurePosixPath(folder).parents]
    return {
        str(place / name): _meaning(name, read(at, str(place / name)))
        for place in places
        for name in listed(at, str(place)) or ()
        if REQUIREMENTS.fullmatch(name)
    }


def _meaning(name: str, content: bytes | None) -> Any:
    """What a file needs: of pyproject.toml the dependencies alone, for the app's own version is none."""
    if name != "pyproject.toml" or content is None:
        return content
    try:
        document = tomllib.loads(content.decode())
    except ValueError:
        return content
    project, poetry = document.get("project", {}), document.get("tool", {}).get("poetry", {})
    return [document.get("build-system"), *(project.get(key) for key in ("dependencies", "requires-python"))] + [
        poetry.get(key) for key in ("dependencies", "group")
    ]


def _installable(at: Revision, folder: str, target: Target) -> tuple[str, ...]:
    """The file of which an environment is made, relative to the target's folder."""
    for place in (PurePosixPath(folder), *PurePosixPath(folder).parents):
        names = listed(at, str(place)) or ()
        for name in INSTALLED:
            if name in names:
                return (os.path.relpath(place / name, folder),)
    raise UsageError(
        f"--rev {at.name}: {target.name}: what it needs differs between the revisions, and there is none of "
        f"{', '.join(INSTALLED)} to make an environment of: add one, or write two targets with a python each"
    )


def on_disk(arm: Arm) -> Arm:
    """`arm` as it can be launched: its commit is checked out and its environment made, once in the life of the harness.

    Raises `LaunchError` where that fails, or where the app would be imported from elsewhere than the work tree.
    """
    target = stood(arm.target, arm.server.packages)
    return arm if target is arm.target else replace(arm, target=target)


def stood(target: Target, packages: Iterable[str] = ()) -> Target:
    """`target` as `on_disk` says; an environment that is made has `packages` too."""
    if not target.commit and not target.requirements:
        return target
    folder = Path(target.folder)
    top = repository(folder)
    relative = folder.resolve().relative_to(top.resolve())
    place = checked_out(top, target.commit) / relative if target.commit else folder
    python = target.python or sys.executable
    if target.requirements:
        # Building an app leaves files beside it: the user's folder is left alone.
        source = place if target.commit else copied(top) / relative
        python = _environment(source, target.requirements, python)
        _install_lacking(python, tuple(sorted(packages)), target.python or sys.executable)
    if target.commit:
        _require_its_own_code(target, python, place, checked_out(top, target.commit))
    return replace(target, folder=str(place), python=python, commit="", requirements=())


@cache
def _environment(folder: Path, requirements: tuple[str, ...], python: str) -> str:
    """The interpreter of a new environment with `requirements`, files relative to `folder`."""
    place = Path(tempfile.mkdtemp(prefix="gatebench-env-", dir=scratch()))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    _call([python, "-m", "venv", *(["--without-pip"] if _lends_pip(python) else []), str(place)], folder, place)
    made = str(place / "bin" / "python")
    for file in requirements:
        path = Path(file)
        what = ["--requirement", file] if path.suffix == ".txt" else [str(folder / path.parent)]
        _call([*_pip(made, python), *what], folder, place)
    return made


@cache
def _install_lacking(python: str, packages: tuple[str, ...], like: str) -> None:
    """Install those of `packages` that `python` lacks, of the versions that the interpreter `like` has."""
    _, installed = environment.receipt(python, packages)
    lacking = [package for package, version in installed.items() if version is None]
    if not lacking:
        return
    _, known = environment.receipt(like, lacking)
    wanted = [f"{package}=={version}" if version else package for package, version in known.items()]
    _call([*_pip(python, like), *wanted], Path.cwd(), Path(python).parent.parent)


@cache
def _lends_pip(python: str) -> bool:
    """Whether its pip can install for another interpreter, so that this one needs none: that takes it seconds less."""
    _, installed = environment.receipt(python, ["pip"])
    first, _, rest = (installed["pip"] or "0").partition(".")
    return (int(first), int(rest.partition(".")[0] or 0)) >= LENT if first.isdecimal() else False


def _pip(python: str, base: str) -> list[str]:
    """The call of pip that installs for `python`, an environment made by `base`."""
    pip = [base, "-m", "pip", "--python", python] if _lends_pip(base) else [python, "-m", "pip"]
    return [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def _call(argv: list[str], folder: Path, place: Path) -> None:
    """Run a command that makes an environment in `place`; raises `LaunchError` with what it said."""
    name = f"{Path(argv[0]).name} {' '.join(argv[1:])}"
    with running(argv, name=name, log=place / "made.log", cwd=folder, env=clean_environment({})) as process:
        try:
            code = process.popen.wait(MADE_S)
        except subprocess.TimeoutExpired:
            raise LaunchError(process.with_log(f"has not ended after {MADE_S:g} s")) from None
        if code:
            raise LaunchError(str(process.died()).partition("; log: ")[0])  # which goes with the environment


def _require_its_own_code(target: Target, python: str, folder: Path, tree: Path) -> None:
    """Raise `LaunchError` where the app is not imported from the work tree, as one that is installed is not."""
    module = target.app.partition(":")[0].partition(".")[0]
    origin = _origin(python, folder, module, target.env.get("PYTHONPATH", ""))
    ours = (tree.resolve(), Path(python).parent.parent.resolve() if target.requirements else tree.resolve())
    if origin and not any(Path(origin).resolve().is_relative_to(place) for place in ours):
        raise LaunchError(
            f"{target.name}: {module} is imported from {origin}, not from its work tree: it is "
            f"installed in the environment of {target.python}; give the target the folder from which it is imported"
        )


@cache
def _origin(python: str, folder: Path, module: str, path: str) -> str:
    """Where `python` in `folder` would import `module` from; empty where it would not find it."""
    env = clean_environment({"PYTHONPATH": path} if path else {})
    argv = [python, "-c", WHERE, module]
    try:
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=ASKED_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise LaunchError(f"interpreter {python} cannot be run: {error}") from error
    return done.stdout.strip()
