"""Questions to git about the repository of an app, and its commits checked out into work trees of their own."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import LaunchError, UsageError
from harness.machine.guard import scratch
from harness.machine.logs import one_line

WORKING_TREE = "."
"""The revision that is the folder as it stands, with its changes."""
TREE = "gatebench-rev-"
"""How the folders begin that hold our work trees."""
GIT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision of a repository, as a user names it."""

    repository: Path
    """Its top folder."""
    name: str
    commit: str
    """Of the working tree, the one on which it stands."""
    about: str
    """Short commit and subject, and whether the working tree has changes."""

    @property
    def is_working_tree(self) -> bool:
        """Whether it is the folder as it stands."""
        return self.name == WORKING_TREE


def repository(folder: Path) -> Path:
    """The top folder of the git repository that `folder` lies in; raises `UsageError` where it lies in none."""
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    except LaunchError as error:
        raise UsageError(f"{folder}: {error}; --rev compares revisions of the git repository of an app") from error


def revision(top: Path, name: str) -> Revision:
    """The revision `name` of the repository `top`; raises `UsageError` where it has none."""
    stated = "HEAD" if name == WORKING_TREE else name
    try:
        commit = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{stated}^{{commit}}").strip()
    except LaunchError as error:
        raise UsageError(
            f"--rev {name}: no revision of {top}; `git log --oneline --all` shows which there are"
        ) from error
    about = _git(top, "log", "-1", "--format=%h %s", commit).strip()
    if name == WORKING_TREE:
        changed = bool(_git(top, "status", "--porcelain", "--untracked-files=normal").strip())
        about = f"{about}, {'with changes' if changed else 'without changes'}"
    return Revision(repository=top, name=name, commit=commit, about=about)


def read(at: Revision, path: str) -> bytes | None:
    """What the file `path`, relative to the top, holds at a revision; None where it has none."""
    if at.is_working_tree:
        file = at.repository / path
        return file.read_bytes() if file.is_file() else None
    try:
        return _git(at.repository, "cat-file", "blob", f"{at.commit}:{path}").encode("utf-8", "surrogateescape")
    except LaunchError:
        return None


def listed(at: Revision, folder: str) -> list[str] | None:
    """The names in `folder`, relative to the top, at a revision; None where it has no such folder."""
    if at.is_working_tree:
        place = at.repository / folder
        return sorted(entry.name for entry in place.iterdir()) if place.is_dir() else None
    try:
        text = _git(at.repository, "ls-tree", "--name-only", "-z", f"{at.commit}:{'' if folder == '.' else folder}")
    except LaunchError:
        return None
    return [name for name in text.split("\0") if name]


@cache
def checked_out(top: Path, commit: str) -> Path:
    """The folder of a work tree of `top` at `commit`, which goes when we end; raises `LaunchError` with what git says.

    Where we were killed before, the next call sweeps up what git still knows of the work tree.
    """
    _sweep(top)
    place = Path(tempfile.mkdtemp(prefix=TREE, dir=scratch()))
    tree = place / top.name
    atexit.register(_remove, top, tree)
    _git(top, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(tree), commit)
    return tree


@cache
def copied(top: Path) -> Path:
    """A folder with what the working tree of `top` holds and git does not ignore; it goes when we end."""
    place = Path(tempfile.mkdtemp(prefix="gatebench-copy-", dir=scratch()))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for name in _git(top, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        source, copy = top / name, place / name
        if name and (source.is_file() or source.is_symlink()):  # a file that was removed is listed too
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    return place


def _remove(top: Path, tree: Path) -> None:
    """Remove a work tree, and what git knows of it."""
    with contextlib.suppress(LaunchError):  # it was never made, or the repository is gone
        _git(top, "worktree", "remove", "--force", "--force", str(tree))
    shutil.rmtree(tree.parent, ignore_errors=True)


def _sweep(top: Path) -> None:
    """Have git forget work trees of ours whose folders are gone."""
    for line in _git(top, "worktree", "list", "--porcelain").splitlines():
        tree = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and tree.parent.name.startswith(TREE) and not tree.exists():
            _remove(top, tree)


def _git(folder: Path, *argv: str) -> str:
    """What git prints of `folder`; raises `LaunchError` with the last line of what it complains of."""
    # A hook of git's, or `git bisect run`, may have set variables that name another repository or index.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *argv],  # noqa: S607 - git is what is on PATH
            capture_output=True, encoding="utf-8", errors="surrogateescape", env=env | {"LC_ALL": "C"}, timeout=GIT_S,
            check=False,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise LaunchError(f"git cannot be run: {error}") from error
    if done.returncode:
        raise LaunchError(one_line(done.stderr.strip()) or f"git {argv[0]} ended with exit code {done.returncode}")
    return done.stdout
