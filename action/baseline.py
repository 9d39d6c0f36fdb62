"""Step: check out the base beside the candidate, make both environments, and write the suite that compares them.

Told: SUITE, TARGET, BASE, SETUP, RUNNER_TEMP. Answers: suite, the path of the suite to run; baseline, the name of the
target in it that is the base. The folder and the interpreter of the app, where they lie in the repository, become those
of the base's checkout; all else of the two is alike.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from job import answer, stop, told

BARE = re.compile(r"[A-Za-z0-9_-]+")


def main() -> None:
    """Do the step."""
    root = Path(git("rev-parse", "--show-toplevel"))
    suite = Path(told("SUITE"))
    try:
        text = suite.read_text(encoding="utf-8")
        target = chosen(tomllib.loads(text), told("TARGET"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        stop(f"suite {suite}: {error}")
    base = checked_out(told("BASE"), Path(told("RUNNER_TEMP")) / "gatebench-base")
    for folder in (root, base):
        made(folder, told("SETUP"))
    twin = twin_of(target, suite.resolve().parent, root, base)
    compared = suite.with_name(f"{suite.stem}-against-base.toml")
    compared.write_text(f"{text.rstrip()}\n\n{written(twin)}", encoding="utf-8")
    answer(suite=str(compared), baseline=twin["name"])
    print(f"{target['name']} is {git('rev-parse', '--short', 'HEAD')}, {twin['name']} is {told('BASE')[:10]}")


def git(*argv: str) -> str:
    """What git says in the current folder."""
    done = subprocess.run(["git", *argv], capture_output=True, text=True, check=False)
    if done.returncode:
        stop(f"git {argv[0]}: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def checked_out(base: str, folder: Path) -> Path:
    """A work tree of commit `base` at `folder`, fetched if the checkout is a shallow one."""
    if not re.fullmatch(r"[0-9a-f]{7,64}", base):
        stop(f"base {base!r} is no commit: set the input `base` where the event is no pull request and no push")
    there = subprocess.run(["git", "cat-file", "-e", f"{base}^{{commit}}"], capture_output=True, check=False)
    if there.returncode:
        git("fetch", "--quiet", "--depth=1", "origin", base)
    git("worktree", "add", "--quiet", "--detach", "--force", str(folder), base)
    return folder


def made(folder: Path, setup: str) -> None:
    """Make the environment of a checkout."""
    if setup and subprocess.run(["bash", "-euo", "pipefail", "-c", setup], cwd=folder, check=False).returncode:
        stop(f"the setup command failed in {folder}")


def chosen(suite: dict[str, Any], name: str) -> dict[str, Any]:
    """The target that is the app."""
    targets: list[dict[str, Any]] = suite.get("target", [])
    found = [target for target in targets if name in ("", target.get("name"))]
    if len(found) != 1:
        known = ", ".join(str(target.get("name")) for target in targets) or "none"
        stop(f"target {name!r}: the suite defines {known}; set the input `target` to the one that is the app")
    return found[0]


def twin_of(target: dict[str, Any], beside: Path, root: Path, base: Path) -> dict[str, Any]:
    """The target as it is at the base; paths in it are relative to the folder `beside`."""
    twin = {"folder": ".", **target, "name": f"{target['name']}-base"}
    for key in sorted({"folder", "python"} & twin.keys()):
        # Not resolved through symlinks: a virtual environment's python is one, and must stay in its environment.
        path = Path(os.path.normpath(beside / twin[key]))
        if path.is_relative_to(root):
            twin[key] = str(base / path.relative_to(root))
    return twin


def written(target: dict[str, Any]) -> str:
    """A target as TOML."""
    return "[[target]]\n" + "".join(f"{key_of(key)} = {value_of(value)}\n" for key, value in target.items())


def key_of(key: str) -> str:
    """A key, in quotes where it needs them."""
    return key if BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def value_of(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_of(key)} = {value_of(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(value_of, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


if __name__ == "__main__":
    main()
