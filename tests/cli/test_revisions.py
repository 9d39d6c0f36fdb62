"""`gatebench run --rev`, and `git bisect run` as the documentation has it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.cli import run as verb
from harness.suite import Options, build
from tests.subject.revision_support import commit, git, shop

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/EXTENDING.md"
SUITE = f"""
about = "The shop."

[[target]]
name = "shop"
interface = "wsgi"
app = "shop:app"
folder = "web"
python = "{sys.executable}"
packages = []
handler = "sync"

[[scenario]]
name = "root"
about = "A word."
request = {{ path = "/" }}
expect = {{ contains = "new" }}

[[pair]]
scenario = "root"
a = {{ target = "shop", server = "gunicorn-sync" }}
b = {{ target = "shop", server = "gunicorn-sync" }}
"""
STUB = """#!{python}
import pathlib, subprocess, sys
if sys.argv[1:] != {call!r}:
    sys.exit("called otherwise: " + " ".join(sys.argv[1:]))
text = pathlib.Path("web/shop.py").read_text()
sys.exit(3 if "unclear" in text else 2 if "broken" in text else 1 if "slow" in text else 0)
"""


def documented() -> str:
    """The script of the documentation."""
    found = re.search(r"<!-- script: bisect -->\n```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["smoke", "--rev", "main"], "--rev main: name two, the baseline first"),
        (["smoke", "--rev", "a", "--rev", "b", "--rev", "c"], "--rev a --rev b --rev c: name two"),
        (["smoke", "--rev", "a", "--rev", "b", "--baseline", "flask"], "either --baseline or --rev"),
        (["--rev", "a", "--rev", "b"], "which suite?"),
        (["--app", "shop:app", "--rev", "a", "--rev", "b"], "--path: missing"),
        (["--app", "shop:app", "--path", "/", "--rev", "no-such", "--rev", "HEAD"], "--rev no-such: no revision"),
        (["--resume", "latest", "--rev", "a", "--rev", "b"], "--rev: --resume goes on with the plan"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(
    options: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exit code 2, and nothing is measured."""
    shop(tmp_path / "repo")
    monkeypatch.chdir(tmp_path / "repo")
    done = CliRunner().invoke(app, ["run", *options])
    assert done.exception is not None
    assert problem in str(done.exception) + done.output
    assert not Path("results").exists()


@pytest.mark.parametrize("verb_", ["plan", "verify"])
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["smoke", "--rev", "main"], "--rev main: name two, the baseline first"),
        (["shop.toml", "--rev", "no-such", "--rev", "HEAD"], "--rev no-such: no revision"),
    ],
)
def test_what_cannot_be_compared_is_said_before_a_run_too(
    verb_: str, options: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the verbs that measure nothing."""
    shop(tmp_path / "repo")
    (tmp_path / "repo" / "shop.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path / "repo")
    done = CliRunner().invoke(app, [verb_, *options])
    assert done.exception is not None
    assert problem in str(done.exception) + done.output


def test_a_plan_shows_both_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is checked out for it."""
    shop(tmp_path / "repo")
    (tmp_path / "repo" / "shop.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path / "repo")
    done = CliRunner().invoke(app, ["plan", "shop.toml", "--rev", "old", "--rev", "HEAD", "--json"])
    (group,) = json.loads(done.stdout)["groups"]
    assert [arm["cell"]["target"] for arm in group["arms"]] == ["shop@old", "shop@HEAD"]
    assert git(tmp_path / "repo", "worktree", "list").count("\n") == 0


@pytest.mark.live
def test_an_answer_that_one_revision_gives_otherwise_is_found_before_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is asked as it was."""
    shop(tmp_path / "repo")
    (tmp_path / "repo" / "shop.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path / "repo")
    done = CliRunner().invoke(app, ["verify", "shop.toml", "--rev", "old", "--rev", "HEAD", "--json"])
    answer = json.loads(done.stdout)
    assert answer["checked"] == 2
    assert [each["target"] for each in answer["failed"]] == ["shop@old"]


@pytest.mark.live
@pytest.mark.beside
def test_an_app_without_a_file_is_asked_at_both_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What both answer is expected, each is its own target, and both stand on one server."""
    shop(tmp_path / "repo")
    monkeypatch.chdir(tmp_path / "repo" / "web")
    own = {"--a": "shop:app", "--b": None, "--path": "/", "--python": sys.executable, "--server-a": "gunicorn-sync"}
    definitions, suite = verb._chosen(None, own | {"--server-b": None}, None, ("old", "."))
    old, new = build(definitions, suite, Options(seed=1)).groups[0].arms
    assert [old.label.partition(" (")[0], new.label] == [
        "shop:app@old on gunicorn-sync", "shop:app@working-tree on gunicorn-sync"
    ]  # fmt: skip
    (asked,) = old.scenario.requests
    assert (asked.expect.status, asked.expect.body_bytes) == (200, 3)
    assert old.target.folder == new.target.folder == str(tmp_path / "repo" / "web")


@pytest.mark.parametrize("slow", [1, 4, 7])
def test_git_bisect_finds_the_commit_by_the_documented_script(tmp_path: Path, slow: int) -> None:
    """Of eight, where one cannot be told and one does not start; `bench/revisions.py` measures in earnest."""
    top = tmp_path / "repo"
    good, _ = shop(top)
    texts = ["fast"] * 8
    texts[2], texts[5] = "unclear", "broken"
    commits = []
    for number, text in enumerate(texts):
        speed = "slow" if number >= slow and text == "fast" else text
        commits.append(commit(top, f"{number}", web___shop__py=f"# {number} {speed}\n"))
    (tmp_path / "bisect.sh").write_text(documented())
    call = ["run", "--app", "shop:app", "--path", "/products", "--rev", good, "--rev", "HEAD"]
    call += ["--width", "3%", "--budget", "3m", "--fail-on-regression", "10%"]
    stub = tmp_path / "bin" / "gatebench"
    stub.parent.mkdir()
    stub.write_text(STUB.format(python=sys.executable, call=call))
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    git(top, "bisect", "start", "HEAD", good)
    done = subprocess.run(
        ["git", "bisect", "run", "sh", "../bisect.sh", good],
        cwd=top, env={"PATH": f"{stub.parent}:/usr/local/bin:/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    assert f"{commits[slow]} is the first bad commit" in done.stdout
