"""An app at two revisions of its repository."""

from __future__ import annotations

import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import LaunchError, UsageError
from harness.subject import repository, revisions
from harness.subject.launch import launch
from harness.subject.receipts import receipts
from harness.subject.services import Services
from harness.suite import Arm, Ask, Closed, Expect, Target, load_definitions
from harness.suite.choice import arm_of
from tests import factories
from tests.polling import until
from tests.subject.revision_support import APP, commit, git, shop

KNOWN = load_definitions()
CHECK_OUT = """
import os, signal, sys
from pathlib import Path
from harness.subject.repository import checked_out, revision
top = Path(sys.argv[1])
tree = checked_out(top, revision(top, "old").commit)
print(tree, flush=True)
if sys.argv[2:] == ["killed"]:
    os.kill(os.getpid(), signal.SIGKILL)
raise SystemExit("whatever happens")
"""


@pytest.fixture(name="top")
def _top(tmp_path: Path) -> Path:
    """The repository of a shop."""
    shop(tmp_path / "repo")
    return tmp_path / "repo"


def target(top: Path, **changes: Any) -> Target:
    """Its app, as a suite names it."""
    made = factories.target(
        name="shop", interface="wsgi", app="shop:app", folder=str(top / "web"), python=sys.executable, packages=()
    )
    return replace(made, **{"handler": "sync"} | changes)


def arm(made: Target, text: str) -> Arm:
    """That target on gunicorn, which must answer with `text`."""
    scenario = factories.scenario(request=Ask(path="/"), expect=Expect(contains=text))
    known = replace(KNOWN, targets={made.name: made}, scenarios={scenario.name: scenario})
    loads = (Closed(connections=1),)
    return arm_of(known, "t1", made, KNOWN.servers["gunicorn-gthread"], scenario, levels={}, loads=loads)


def trees(top: Path) -> list[str]:
    """The work trees that git knows of."""
    lines = git(top, "worktree", "list", "--porcelain").splitlines()
    return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]


def test_each_revision_is_a_target_with_its_commit(top: Path) -> None:
    """By the name that the user gave it; the folder of the user stands in the plan, not that of a work tree."""
    old, new = revisions.at(target(top), ["old", "HEAD"])
    assert [old.name, new.name] == ["shop@old", "shop@HEAD"]
    assert [old.commit, new.commit] == [git(top, "rev-parse", name) for name in ("old", "HEAD")]
    assert (old.folder, old.python, old.family) == (str(top / "web"), sys.executable, "shop")
    assert old.about.endswith("The shop")
    assert (old.requirements, new.requirements) == ((), ())
    assert arm(old, "old").label == f"shop@old on gunicorn-gthread ({old.commit[:10]}, 8 threads)"


def test_the_working_tree_is_a_side_of_its_own(top: Path) -> None:
    """With its changes, and in its own folder."""
    (top / "web" / "shop.py").write_text(APP.format(text="changed"))
    committed, changed = revisions.at(target(top), ["HEAD", "."])
    assert (changed.name, changed.commit) == ("shop@working-tree", "")
    assert changed.about.endswith("A newer shop, with changes")
    assert revisions.stood(changed).folder == str(top / "web")
    there = Path(revisions.stood(committed).folder, "shop.py")
    assert "new" in there.read_text()


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["no-such", "HEAD"], r"--rev no-such: no revision of .*repo"),
        (["--help", "HEAD"], r"--rev --help: no revision of .*repo"),
        (["HEAD^{tree}", "HEAD"], r"--rev HEAD\^\{tree\}: no revision"),
    ],
)
def test_a_revision_that_is_none_is_refused_by_its_name(top: Path, names: list[str], problem: str) -> None:
    """Whatever it looks like."""
    with pytest.raises(UsageError, match=problem):
        revisions.at(target(top), names)


def test_a_folder_that_is_nowhere_or_not_yet_there_is_refused(top: Path, tmp_path: Path) -> None:
    """Outside of any repository, or of a later commit."""
    with pytest.raises(UsageError, match=r"not a git repository.*--rev compares revisions"):
        revisions.at(target(top, folder=str(tmp_path)), ["old", "HEAD"])
    commit(top, "An API", api___shop__py=APP.format(text="api"))
    with pytest.raises(UsageError, match=r"--rev old: .* has no folder api at that revision"):
        revisions.at(target(top, folder=str(top / "api")), ["old", "HEAD"])


def test_what_needs_other_packages_gets_an_environment_each(top: Path) -> None:
    """The file is named as it lies to the target's folder, also for the working tree."""
    commit(top, "A library", requirements__txt="flask>=3\n")
    (old, new), (_, here) = (revisions.at(target(top), ["old", name]) for name in ("HEAD", "."))
    assert old.requirements == new.requirements == here.requirements == ("../requirements.txt",)


def test_a_new_version_of_the_app_alone_needs_no_environment(top: Path) -> None:
    """Of pyproject.toml only the dependencies count."""
    project = '[project]\nname = "shop"\nversion = "{}"\ndependencies = ["flask{}"]\n'
    commit(top, "1", pyproject__toml=project.format(1, ""))
    commit(top, "2", pyproject__toml=project.format(2, ""))
    assert [each.requirements for each in revisions.at(target(top), ["HEAD~1", "HEAD"])] == [(), ()]
    commit(top, "3", pyproject__toml=project.format(2, ">=3"))
    assert revisions.at(target(top), ["HEAD~1", "HEAD"])[0].requirements == ("../requirements.txt",)
    git(top, "rm", "--quiet", "requirements.txt")
    commit(top, "4", pyproject__toml=project.format(2, ">=4"))
    assert revisions.at(target(top), ["HEAD~1", "HEAD"])[1].requirements == ("../pyproject.toml",)


def test_what_no_environment_can_be_made_of_says_so(top: Path) -> None:
    """A Pipfile alone."""
    git(top, "rm", "--quiet", "requirements.txt")
    commit(top, "1", Pipfile="[packages]\n")
    commit(top, "2", Pipfile='[packages]\nflask = "*"\n')
    with pytest.raises(UsageError, match=r"differs between the revisions.*requirements\.txt"):
        revisions.at(target(top), ["HEAD~1", "HEAD"])


@pytest.mark.parametrize("end", ["", "killed"])
def test_a_work_tree_is_gone_whatever_happens(top: Path, end: str) -> None:
    """Its folder and what git knows of it: at the end, or by the next start where the harness was killed."""
    call = [sys.executable, "-c", CHECK_OUT, str(top)]
    done = subprocess.run([*call, *filter(None, [end])], capture_output=True, text=True, check=False)
    assert done.returncode == (-signal.SIGKILL if end else 1)
    tree = Path(done.stdout.strip())
    if end:
        assert until(lambda: not tree.exists())  # the reaper is at work: what it has not removed yet is no litter
        subprocess.run(call, capture_output=True, check=False)
    assert tree.name == "repo"
    assert trees(top) == [str(top)]
    assert not tree.exists()


def test_a_work_tree_of_the_users_own_stays(top: Path, tmp_path: Path) -> None:
    """Even where its folder is away, as on a disk that is not mounted."""
    git(top, "worktree", "add", "--quiet", "--detach", str(tmp_path / "mine"))
    (tmp_path / "mine").rename(tmp_path / "away")
    repository._sweep(top)
    assert trees(top) == [str(top), str(tmp_path / "mine")]


def test_an_app_that_would_be_imported_from_elsewhere_is_no_revision(top: Path) -> None:
    """As one that is installed from its folder: both sides would be the same code."""
    elsewhere = target(top, folder=str(top), env={"PYTHONPATH": str(top / "web")})
    old, _ = revisions.at(elsewhere, ["old", "HEAD"])
    with pytest.raises(LaunchError, match=r"shop is imported from .*web/shop\.py, not from its work tree"):
        revisions.stood(old)
    assert "not from its work tree" in receipts([arm(old, "old")]).missing["t1"]


@pytest.mark.live
@pytest.mark.beside
def test_both_revisions_answer_as_they_were(top: Path, tmp_path: Path) -> None:
    """Side by side, and the repository is left as it was, also by a variable of git's that names another."""
    before = git(top, "status", "--porcelain", "--branch")
    for made, text in zip(revisions.at(target(top), ["old", "HEAD"]), ("old", "new"), strict=True):
        mine = arm(made, text)
        with launch(mine, KNOWN.factors.values(), Services(), cpus=(), log=tmp_path / "log") as server:
            server.wait_ready()
            assert server.verify().body.decode() == text
    assert git(top, "status", "--porcelain", "--branch") == before


def test_what_is_built_of_the_working_tree_is_a_copy(top: Path) -> None:
    """With its changes and new files, without what git ignores and what was removed."""
    (top / ".gitignore").write_text("ignored\n")
    (top / "ignored").write_text("")
    (top / "web" / "new.py").write_text("")
    (top / "web" / "shop.py").write_text(APP.format(text="changed"))
    (top / "requirements.txt").unlink()
    place = repository.copied(top)
    files = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    assert files == [".gitignore", "web/new.py", "web/shop.py"]
    assert "changed" in (place / "web" / "shop.py").read_text()


@pytest.mark.live
@pytest.mark.beside
def test_an_environment_has_what_the_revision_needs(top: Path) -> None:
    """From its own requirements, by its own interpreter; the receipt calls it by the target, for its path goes."""
    wheel = top / "library-2.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("library.py", "VERSION = 2\n")
        file.writestr("library-2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: library\nVersion: 2.0\n")
        file.writestr("library-2.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("library-2.0.dist-info/RECORD", "")
    commit(top, "A library", web___requirements__txt=f"./{wheel.name}\n")
    git(top, "mv", wheel.name, f"web/{wheel.name}")
    commit(top, "Where pip finds it")
    made = replace(revisions.at(target(top), ["old", "."])[1], packages=("library",))
    mine = arm(made, "new")
    mine = replace(mine, server=replace(mine.server, packages=()))
    receipt = receipts([mine])
    assert receipt.missing == {}
    assert receipt.versions["shop@working-tree: library"] == "2.0"
    there = revisions.on_disk(mine).target
    assert there.python != sys.executable
    assert (there.folder, there.commit, there.requirements) == (str(top / "web"), "", ())
    assert git(top, "status", "--porcelain") == ""
