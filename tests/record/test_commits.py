"""The commit of an app is read from git's files, as git itself says it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness import record
from harness.record.commits import commits, head
from harness.record.conditions import changes
from tests import factories


def git(folder: Path, *argv: str) -> str:
    """What git says in `folder`."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *argv], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With a commit, and a folder in it."""
    top = tmp_path / "shop"
    (top / "src").mkdir(parents=True)
    git(top, "init", "--quiet")
    git(top, "commit", "--quiet", "--allow-empty", "-m", "one")
    return top


def test_it_is_the_commit_on_which_the_work_tree_stands(repository: Path) -> None:
    """On a branch, in a folder below, detached, with packed branches, and in a linked work tree."""
    now = git(repository, "rev-parse", "HEAD")
    assert head(repository) == head(repository / "src") == now
    git(repository, "pack-refs", "--all")
    assert head(repository) == now
    linked = repository.parent / "linked"
    git(repository, "worktree", "add", "--quiet", "-b", "other/branch", str(linked))
    git(linked, "commit", "--quiet", "--allow-empty", "-m", "two")
    assert head(linked) == git(linked, "rev-parse", "HEAD") != now
    git(repository, "checkout", "--quiet", "--detach")
    assert head(repository) == now


@pytest.mark.parametrize("stands", ["", "ref: refs/heads/gone", "ref: \0", "no commit", "\udcff"])
def test_what_cannot_be_read_is_no_commit(tmp_path: Path, stands: str) -> None:
    """No repository, an empty one, a broken one."""
    assert head(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert head(tmp_path) is None
    (tmp_path / ".git/HEAD").write_bytes(stands.encode(errors="surrogateescape"))
    assert head(tmp_path) is None


def test_what_is_installed_in_an_environment_is_of_no_repository(repository: Path) -> None:
    """Though the environment lies in one."""
    site = repository / ".venv/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    assert head(site) is None


def test_a_sitting_keeps_the_commit_of_each_target(repository: Path, tmp_path: Path) -> None:
    """And goes on at another as long as the code is the same: an entry of a changelog changes no figure."""
    live = factories.arm("p1a")
    here = replace(live, target=replace(live.target, name="shop", folder=str(repository)))
    pinned = replace(live, id="p1b", target=replace(live.target, name="shop@old", folder="/nowhere", commit="a" * 40))
    plan = factories.plan(factories.group(here, pinned))
    now = git(repository, "rev-parse", "HEAD")
    assert commits(plan) == {"shop": now, "shop@old": "a" * 40}
    folder = tmp_path / "run"
    folder.mkdir()
    with record.writing(folder, factories.run(plan).info):
        pass
    (sitting,) = record.read_info(folder).sittings
    assert sitting.commits == commits(plan)
    assert changes(sitting, replace(sitting, commits={"shop": "b" * 40})) == {}
