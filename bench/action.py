"""Does the Action do what it says? Its steps, run here on a repository with an equal, a slow and a broken candidate.

    .venv/bin/python bench/action.py [--keep DIR] [--install]

The steps are those of action.yml, read from it; GitHub is a stub on loopback, and gatebench is that of this checkout
unless `--install` has it installed as a runner does. Prints PASS or FAIL for each claim, the comments, and the files;
ends with 1 when a claim fails. `--keep` copies the files there. Two minutes on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from bench.claims import ROOT, Claims

APP = """
ROUNDS = {rounds}


def app(environ, start_response):
    total = 0
    for number in range(ROUNDS):
        total += number * number
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
"""
SUITE = """
about = "The app against itself at the base."
blocks = 5
rounds = 3
slice_s = 0.3
phases = ["closed"]

# The claims are about the Action, and the slow candidate does three times the work: a busy machine may be judged too.
[thresholds]
generator_cpu_percent = 100
generator_waiting = 0.9
steal = 0.9
outside_load = 1.0
halves_z = 100
halves = 10
littles_law = 0.9

[[target]]
name = "shop"
interface = "wsgi"
app = "shop:app"
folder = ".."
packages = []
handler = "sync"

[[scenario]]
name = "front"
about = "The front page."
request = { path = "/" }
expect = { status = 200, contains = "ok" }

[[pair]]
scenario = "front"
connections = 8
a = { target = "shop", server = "waitress" }
b = { target = "shop", server = "waitress" }
"""
CANDIDATES = {
    "equal": APP.format(rounds=4000) + "\n# says the same\n",
    "slow": APP.format(rounds=12000),
    "broken": "raise ImportError('no such thing')\n",
}
FILES = ("compare.json", "gate.txt", "junit.xml", "bmf.json", "github-bigger.json", "github-smaller.json", "run")
FORK = 9
"""The pull request whose token may not comment."""


@dataclass
class GitHub:
    """The comments of each pull request, as a stub of the API keeps them, and what was asked of it."""

    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: str) -> tuple[int, Any]:
        """Status and JSON."""
        if match := re.fullmatch(r"/repos/me/shop/issues/(\d+)/comments.*", path):
            number = int(match[1])
            if method == "GET":
                return 200, self.comments.get(number, [])
            if number == FORK:
                return 403, {"message": "Resource not accessible by integration"}
            comment = {"id": 100 + len(self.writes), "user": {"type": "Bot"}, **json.loads(body)}
            self.comments.setdefault(number, []).append(comment)
        elif match := re.fullmatch(r"/repos/me/shop/issues/comments/(\d+)", path):
            comment = next(each for one in self.comments.values() for each in one if each["id"] == int(match[1]))
            comment.update(json.loads(body))
        else:
            return 404, {}
        self.writes.append(method)
        return 200, comment


@contextmanager
def github() -> Iterator[tuple[GitHub, str]]:
    """A stub of GitHub on loopback, and its URL."""
    state = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            status, content = state.answer(self.command, self.path, body)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_any  # noqa: N815 - the names that http.server wants

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Step:
    """A step of action.yml that runs a command."""

    name: str
    id: str
    env: dict[str, str]
    run: str
    always: bool


def steps() -> list[Step]:
    """The steps of action.yml that run a command, in its order."""
    _, _, text = (ROOT / "action.yml").read_text().partition("  steps:\n")
    found = []
    for block in re.split(r"^    - ", text, flags=re.MULTILINE)[1:]:
        keys = dict(re.findall(r"^ {0,6}(name|id|if|run): (.*)$", block, re.MULTILINE))
        env = dict(re.findall(r"^        (\w+): (.*)$", block, re.MULTILINE))
        if "run" in keys:
            command = keys["run"].removeprefix("'").removesuffix("'")
            found.append(Step(keys["name"], keys.get("id", ""), env, command, "always()" in keys.get("if", "")))
    return found


@dataclass
class Job:
    """One execution of the steps, for a pull request."""

    folder: Path
    env: dict[str, str]
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    code: int = 0
    log: str = ""

    def execute(self, *names: str) -> None:
        """Execute the steps of these names, all by default; a step after a failure only if it always runs."""
        for step in steps():
            skipped = (names and step.name not in names) or (self.code and not step.always)
            undone = step.always and not self.outputs.get("measure", {}).get("code")
            installed = step.name == "Install gatebench" and (self.folder / "runner" / "gatebench-venv").exists()
            if not (skipped or undone or installed):
                self._step(step)

    def _step(self, step: Step) -> None:
        output = self.folder / "output"
        output.write_text("")
        env = self.env | {name: self._value(text) for name, text in step.env.items()} | {"GITHUB_OUTPUT": str(output)}
        command = ["bash", "-e", "-c", step.run]
        done = subprocess.run(
            command, cwd=self.folder / "shop", env=env, stdout=-1, stderr=-2, text=True, check=False, timeout=600
        )
        self.log += f"# {step.name}\n{done.stdout}"
        self.code = self.code or done.returncode
        if step.id:
            self.outputs[step.id] = dict(line.split("=", 1) for line in output.read_text().splitlines())

    def _value(self, text: str) -> str:
        def known(match: re.Match[str]) -> str:
            kind, *rest = match[1].split(".")
            return self.inputs[rest[0]] if kind == "inputs" else self.outputs.get(rest[0], {}).get(rest[2], "")

        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", known, text)


def repository(folder: Path) -> str:
    """A repository whose branches are the candidates; returns the commit that they start from."""

    def git(*argv: str) -> str:
        who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
        command = ["git", *who, *argv]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    (folder / "bench").mkdir(parents=True)
    (folder / "bench" / "shop.toml").write_text(SUITE)
    (folder / "shop.py").write_text(APP.format(rounds=4000))
    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message=The base")
    base = git("rev-parse", "HEAD")
    for name, text in CANDIDATES.items():
        git("switch", "--quiet", "--create", name, base)
        (folder / "shop.py").write_text(text)
        git("commit", "--quiet", "--all", f"--message=A candidate: {name}")
    return base


def job(folder: Path, base: str, api: str, pull_request: int, *, install: bool) -> Job:
    """A job for a pull request, on a runner of its own."""
    runner = folder / "runner"
    shutil.rmtree(runner, ignore_errors=True)
    runner.mkdir()
    if not install:
        (runner / "gatebench-venv").symlink_to(sys.prefix)
    event = folder / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": pull_request}}))
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {
        "RUNNER_TEMP": str(runner),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_API_URL": api,
        "GITHUB_REPOSITORY": "me/shop",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_RUN_ID": "1",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_STEP_SUMMARY": str(runner / "step-summary.md"),
        **({} if install else {"PYTHONPATH": str(ROOT)}),
    }
    inputs = {"suite": "bench/shop.toml", "target": "", "base": base, "setup": "test -f shop.py", "threshold": "10%"}
    return Job(folder, env, {**inputs, "options": "--metric memory", "token": "opens-nothing"})


def junit(path: Path) -> str:
    """The counts of a JUnit file: tests, failures, errors, skipped."""
    if not path.is_file():
        return "none"
    suite = ET.parse(path).getroot()[0]  # noqa: S314 - our own
    return " ".join(suite.attrib[name] for name in ("tests", "failures", "errors", "skipped"))


def candidate(claims: Claims, done: Job, name: str, code: int, cases: str) -> Path:
    """Check what a job left of a candidate; returns the folder of its files."""
    print(done.log)
    claims.check(f"{name}: exit code {code}", str(done.code), held=done.code == code)
    folder = Path(done.outputs.get("measure", {}).get("folder", "nowhere"))
    there = [file for file in FILES if (folder / file).exists()]
    wanted = [file for file in FILES if name != "broken" or not file.startswith(("bmf", "github"))]
    claims.check(f"{name}: the files", " ".join(there), held=there == wanted)
    claims.check(f"{name}: tests, failures, errors, skipped are {cases}", seen := junit(folder / FILES[2]),
                 held=seen == cases)  # fmt: skip
    page, summary = folder / "run" / "report.html", Path(done.env["GITHUB_STEP_SUMMARY"])
    claims.check(f"{name}: page and step summary", str(page.name), held=page.is_file() and summary.is_file())
    return folder


def said(state: GitHub, number: int) -> str:
    """What stands on a pull request."""
    return "\n---\n".join(comment["body"] for comment in state.comments.get(number, []))


def main() -> int:
    """Put the Action to the test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--install", action="store_true")
    asked = parser.parse_args()
    claims = Claims()
    with tempfile.TemporaryDirectory(prefix="action-") as name, github() as (state, api):
        folder = Path(name)
        base = repository(folder / "shop")
        slow: Path | None = None
        for which, code, cases in (("equal", 0, "2 0 0 0"), ("slow", 1, "2 1 0 0"), ("broken", 1, "2 0 2 0")):
            number = 2 if which == "broken" else 1
            subprocess.run(["git", "switch", "--quiet", "--force", which], cwd=folder / "shop", check=True)
            done = job(folder, base, api, number, install=asked.install)
            done.execute()
            left = candidate(claims, done, which, code, cases)
            kept = folder / which
            shutil.copytree(left, kept)
            if asked.keep:
                shutil.copytree(left, asked.keep / which, dirs_exist_ok=True)
            subprocess.run(["git", "worktree", "remove", "--force", str(folder / "runner" / "gatebench-base")],
                           cwd=folder / "shop", check=True)  # fmt: skip
            bodies = said(state, number)
            claims.check(f"{which}: comments", str(len(state.comments.get(number, []))),
                         held=bool(bodies) == (which != "equal"))  # fmt: skip
            print(bodies)
            slow = kept if which == "slow" else slow
        recovering = job(folder, base, api, 1, install=False)
        comments_again(claims, state, recovering, folder)
        refused = again(job(folder, base, api, FORK, install=False), "1", folder / "slow")
        print(refused.log)
        claims.check("a fork: no comment, and exit code 1 all the same", str(refused.code),
                     held=refused.code == 1 and not state.comments.get(FORK) and "403" in refused.log)  # fmt: skip
    return 1 if claims.failed else 0


def comments_again(claims: Claims, state: GitHub, recovering: Job, folder: Path) -> None:
    """The equal candidate after the slow one, and once more."""
    again(recovering, "0", folder / "equal")
    text = said(state, 1)
    print(text)
    count = len(state.comments.get(1, []))
    claims.check("recovered: the one comment was updated", f"{count}", held=count == 1 and "Recovered" in text)
    writes = list(state.writes)
    again(recovering, "0", folder / "equal")
    claims.check("still equal: nothing is written", " ".join(state.writes), held=state.writes == writes)


def again(job: Job, code: str, folder: Path) -> Job:
    """The last steps of a job, from what an earlier one measured."""
    job.outputs["measure"] = {"code": code, "folder": str(folder)}
    job.execute("Comment", "Gate")
    return job


if __name__ == "__main__":
    sys.exit(main())
