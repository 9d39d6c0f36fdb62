"""Is the slower of two revisions found, and the commit of eight that made it so? Measured as a user would.

    .venv/bin/python bench/revisions.py all
    .venv/bin/python bench/revisions.py two|bisect|packages

`two`: `gatebench run --rev` on a repository of two commits, the second of which does a third more work. `bisect`: `git
bisect run` with the script of docs/EXTENDING.md, as it stands there, over eight commits. `packages`: a revision that
needs a package which the other has not. Prints PASS or FAIL for each claim, and ends with 1 when one fails. Needs the
machine to itself, for about twelve minutes.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.claims import ROOT, CallError, Claims, main

APP = """
TURNS = {turns}

def app(environ, start_response):
    total = 0
    for number in range(TURNS):
        total += number * number
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
"""
TURNS = 40_000
"""It then takes far longer than all that the server does: a quarter more work is 20 % slower."""
SLOWER = TURNS * 5 // 4
SUITE = f"""
about = "The shop at two revisions."
blocks = 5
rounds = 2
slice_s = 0.5
phases = ["closed"]

[[target]]
name = "shop"
interface = "wsgi"
app = "shop:app"
folder = "repository"
python = "{sys.executable}"
packages = []
handler = "sync"

[[scenario]]
name = "products"
about = "All products."
request = {{ path = "/products" }}
expect = {{ contains = "ok" }}

[[pair]]
scenario = "products"
b = {{ target = "shop", server = "gunicorn-gthread" }}
"""


def git(folder: Path, *argv: str) -> str:
    """What git prints there."""
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    done = subprocess.run(["git", "-C", str(folder), *who, *argv], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(top: Path, turns: int, message: str) -> str:
    """A commit of the shop; its id."""
    (top / "shop.py").write_text(f"# {message}{APP.format(turns=turns)}")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "-m", message)
    return git(top, "rev-parse", "HEAD")


@contextmanager
def repository() -> Iterator[Path]:
    """An empty one, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="gatebench-bench-") as folder:
        top = Path(folder, "repository")
        top.mkdir()
        git(top, "init", "--quiet", "--initial-branch", "main")
        yield top


def called(top: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """A command in the repository, with `gatebench` of this checkout on PATH."""
    place = top.parent / "bin"
    place.mkdir(exist_ok=True)
    stub = place / "gatebench"
    stub.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m harness "$@"\n')
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    env = os.environ | {"PATH": f"{place}:{os.environ['PATH']}"}
    return subprocess.run(argv, cwd=top, env=env, capture_output=True, text=True, check=False)


def measured(top: Path, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer of a run of the suite, and the head of its records; raises `CallError` when there is none."""
    (top.parent / "shop.toml").write_text(SUITE)
    done = called(top, "gatebench", "run", "../shop.toml", "--json", *options)
    if not done.stdout:
        raise CallError(f"gatebench run ended with {done.returncode}: {done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer, json.loads((top / answer["run"] / "run.json").read_text())


def two(claims: Claims) -> None:
    """The second of two commits is 20 % slower."""
    with repository() as top:
        commits = [commit(top, TURNS, "The shop"), commit(top, SLOWER, "A slower shop")]
        answer, info = measured(top, "--rev", "HEAD~1", "--rev", "HEAD")
        verdict = next(each for each in answer["pairs"] if each["metric"] == "throughput_rps")
        seen = f"{verdict['verdict']}, {verdict['ratio']} ({verdict['low']} to {verdict['high']})"
        claims.check("the second revision is worse", seen, held=verdict["verdict"] == "worse")
        arms = info["plan"]["groups"][0]["arms"]
        targets = [(arm["target"]["name"], arm["target"]["commit"]) for arm in arms]
        wanted = [("shop@HEAD~1", commits[0]), ("shop@HEAD", commits[1])]
        claims.check("the records name both, with their commits", str(targets), held=targets == wanted)
        left = git(top, "worktree", "list").splitlines()
        claims.check("no work tree is left", str(left), held=len(left) == 1)


def bisect(claims: Claims) -> None:
    """The fifth of eight commits is slower."""
    page = (ROOT / "docs/EXTENDING.md").read_text()
    script = re.search(r"<!-- script: bisect -->\n```sh\n(.*?)```", page, re.DOTALL)
    if script is None:
        raise CallError("docs/EXTENDING.md has no script: bisect")
    with repository() as top:
        good = commit(top, TURNS, "v1.4")
        commits = [commit(top, TURNS if number < 4 else SLOWER, f"{number}") for number in range(8)]  # noqa: PLR2004 - the fifth
        (top.parent / "bisect.sh").write_text(script[1])
        git(top, "bisect", "start", "HEAD", good)
        done = called(top, "git", "bisect", "run", "sh", "../bisect.sh", good)
        found = re.search(r"^(\w+) is the first bad commit", done.stdout, re.MULTILINE)
        seen = found[1] if found else f"{done.stdout[-1000:]} {done.stderr[-1000:]}"
        claims.check("git bisect finds the commit", seen, held=seen == commits[4])


def packages(claims: Claims) -> None:
    """The second revision imports what the first does not need."""
    with repository() as top:
        (top / "requirements.txt").write_text("")
        commit(top, TURNS, "The shop")
        wheel = top / "library-2.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr("library.py", "VERSION = 2\n")
            file.writestr("library-2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: library\nVersion: 2.0\n")
            file.writestr(
                "library-2.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            file.writestr("library-2.0.dist-info/RECORD", "")
        (top / "requirements.txt").write_text(f"./{wheel.name}\n")
        commit(top, TURNS, "import library  ")
        (top / "shop.py").write_text((top / "shop.py").read_text().replace("# import library", "import library #"))
        git(top, "commit", "--quiet", "--all", "-m", "It is imported")
        answer, info = measured(top, "--rev", "HEAD~2", "--rev", "HEAD", "--blocks", "1")
        claims.check("no row has an error", str(answer["failed"]), held=not answer["failed"])
        versions = {name: version for name, version in info["versions"].items() if name.startswith("shop@")}
        claims.check("each has a receipt of its own", str(versions), held="shop@HEAD: gunicorn" in versions)


if __name__ == "__main__":
    sys.exit(main({"two": two, "bisect": bisect, "packages": packages}, __doc__))
