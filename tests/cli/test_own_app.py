"""From an app to evidence: without a file, and by `gatebench init`."""

from __future__ import annotations

import contextlib
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import record
from harness.cli import app as commands
from harness.cli import run as verb
from harness.errors import NothingValidError
from harness.suite import Definitions, Suite, load_suite
from tests.cli.test_cli import gatebench
from tests.test_repository import documented

APPS = """
from fastapi import FastAPI
from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return {}


@app.get("/basket")
def basket():
    return {"basket": 3}


def create_async():
    made = FastAPI()

    @made.get("/basket")
    async def basket():
        return {"basket": 3}

    return made
"""
LENDING = """
import asyncio
from fastapi import FastAPI
made = FastAPI()
@made.get("/basket")
async def basket():
    return await asyncio.to_thread(lambda: {"basket": 3})
"""
FACTORIES = """
about = "Factories."

[[target]]
name = "made"
interface = "wsgi"
app = "made:create_wsgi()"
packages = []
handler = "sync"
ready_path = "/"

[[target]]
name = "made-async"
interface = "asgi"
app = "made:create_asgi()"
packages = []
handler = "async"

[[scenario]]
name = "greeting"
about = "A word."
request = { path = "/" }
expect = { sha256 = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4", body_bytes = 2 }
"""
MADE = """
def create_wsgi():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "2")])
        return [b"hi"]

    return app


def create_asgi():
    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise ValueError("HTTP only")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"hi"})

    return app
"""
PAIR = """
[[pair]]
scenario = "greeting"
a = {{ target = "{0}", server = "{1}" }}
b = {{ target = "{2}", server = "{3}" }}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APPS)
    return tmp_path


@pytest.mark.live
@pytest.mark.beside
def test_two_apps_are_run_without_a_file_and_gone_on_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their definitions and the present answer stand in the plan, so that --resume needs nothing else."""
    chosen = verb._chosen

    def briefly(*asked: Any) -> tuple[Definitions, Suite]:
        """The usual load is measured for twelve seconds a block."""
        definitions, suite = chosen(*asked)
        return definitions, replace(suite, rounds=1, slice_s=0.2, open_slice_s=0.5)

    monkeypatch.setattr(verb, "_chosen", briefly)
    monkeypatch.chdir(folder)
    first = ["--a", "shop:app", "--b", "shop:create_async()", "--path", "/basket", "--blocks", "1", "--out", "mine"]
    for options in (first, ["--resume", "mine", "--blocks", "2"]):
        with contextlib.suppress(NothingValidError):  # of so short a load little may be valid
            commands(["run", *options, "--shared-cpu"], standalone_mode=False)
    assert "shop:create_async() on uvicorn" in capsys.readouterr().out
    run = record.read(folder / "mine")
    assert run.info.plan.blocks == 2
    assert {trial.block for trial in run.trials if trial.block < 2} == {0, 1}  # one that noise made void has another
    assert [trial.error for trial in run.trials if trial.error] == []
    a, b = run.info.plan.groups[0].arms
    assert (a.label, b.label) == ("shop:app on gunicorn-gthread (8 threads)", "shop:create_async() on uvicorn")
    assert (a.scenario.name, a.scenario.requests[0].expect.status) == ("GET /basket", 200)
    assert a.scenario.requests[0].expect.sha256_json is not None


@pytest.mark.live
@pytest.mark.beside
def test_init_writes_a_suite_that_is_verified_and_overwrites_nothing(folder: Path) -> None:
    """A twin of the other interface with a route in common is side b; a health check is not what is asked."""
    (folder / "asgi.py").write_text("from shop import create_async\napplication = create_async()\n")
    done = gatebench("init", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == dict(documented("keys"))["init"]
    assert [target["app"] for target in found["targets"]] == ["shop:app", "asgi:application"]
    assert (found["path"], found["servers"]) == ("/basket", ["gunicorn-gthread", "uvicorn"])
    _, suite = load_suite(found["file"])
    assert suite.pairs[0].scenario == "get-basket"
    written = (folder / "gatebench.toml").read_text()
    assert "#   /health" in written
    again = gatebench("init", cwd=folder)
    assert (again.returncode, "is not overwritten: --out FILE" in again.stderr) == (2, True)
    assert (folder / "gatebench.toml").read_text() == written
    other = gatebench("init", "--app", "shop:app", "--path", "/health", "--out", "two.toml", cwd=folder)
    assert other.returncode == 0, other.stderr
    assert [pair["a"]["target"] for pair in tomllib.loads((folder / "two.toml").read_text())["pair"]] == [
        pair["b"]["target"] for pair in tomllib.loads((folder / "two.toml").read_text())["pair"]
    ]


@pytest.mark.live
@pytest.mark.beside
def test_init_takes_two_apps_and_what_they_find_in_their_environment(folder: Path) -> None:
    """So that no other shell changes what is measured. A secret in a path stands in the file, and may."""
    needs = "import os\nfrom shop import app, create_async\nos.environ['SHOP_CONFIG']\n"
    (folder / "needs.py").write_text(needs + LENDING)
    call = ["init", "--app", "needs:app", "--b", "needs:made", "--env", "SHOP_CONFIG=shop.yml", "--json"]
    done = gatebench(*call, "--path", "/basket?token=abcdefgh1234", cwd=folder)
    assert done.returncode == 0, done.stderr
    written = tomllib.loads((folder / "gatebench.toml").read_text())
    assert [target["env"] for target in written["target"]] == [{"SHOP_CONFIG": "shop.yml"}] * 2
    (pair,) = written["pair"]
    assert [pair[side]["server"] for side in "ab"] == ["gunicorn-gthread", "uvicorn"]
    assert "verified: 2 answers are right" in done.stderr
    assert "needs:made answers /basket?" in done.stderr
    assert "in a coroutine that hands work to threads (to_thread)" in done.stderr


@pytest.mark.live
@pytest.mark.beside
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", "--a", "shop:app", "--path", "/basket"], "--b: missing"),
        (["run", "quick", "--a", "shop:app"], "either SUITE or --a"),
        (["run", "--a", "shop:app", "--b", "shop:app", "--path", "basket"], "--path: 'basket' must begin with /"),
        (["run", "--a", "shop:app", "--b", "shop:app", "--path", "/?token=abcdefgh1234"], "--path holds a secret"),
        (
            ["run", "--a", "shop:app", "--b", "shop:app", "--path", "/basket", "--server-b", "uvicorn"],
            "shop:app is wsgi",
        ),
        (["run", "--a", "shop:app", "--b", "shop:app", "--path", "/nothing"], "answers with status 404"),
        (["tune", "quick", "--app", "shop:app"], "either SUITE, or"),
        (["tune", "--app", "shop:gone", "--path", "/"], "has no attribute 'gone'"),
        (["init", "empty"], "no app is found"),
        (["init", "nowhere"], "nowhere: no folder"),
        (["init", "x" * 300], "File name too long"),
        (["init", "--out", "suite.txt"], "ends with .toml"),
        (["init", "--b", "shop:create_async()"], "--b goes with --app"),
        (["init", "--env", "SETTING"], "--env SETTING: write NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_one_clear_message_and_exit_2(folder: Path, argv: list[str], said: str) -> None:
    """Nothing is measured, nothing is written."""
    (folder / "empty").mkdir()
    before = sorted(folder.rglob("*.toml"))
    done = gatebench(*argv, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*.toml")) == before
    assert not (folder / "results").exists()


@pytest.mark.live
@pytest.mark.beside
def test_every_server_calls_a_factory(tmp_path: Path) -> None:
    """As its definition says how."""
    wsgi = ("gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent", "granian-wsgi", "uwsgi", "waitress")
    asgi = ("gunicorn-uvicorn", "gunicorn-asgi", "uvicorn", "uvicorn-h11", "hypercorn", "granian-asgi")
    pairs = [PAIR.format("made", a, "made-async", b) for a, b in zip(wsgi, asgi, strict=True)]
    (tmp_path / "made.py").write_text(MADE)
    (tmp_path / "made.toml").write_text(FACTORIES + "".join(pairs))
    done = gatebench("verify", "made.toml", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == {"checked": 12, "failed": [], "machines": []}, done.stderr


def test_a_server_that_calls_no_factory_is_named(tmp_path: Path) -> None:
    """With file and key."""
    server = '[[server]]\nname = "mine"\ninterface = "wsgi"\nargv = ["{port}", "{app}"]\npackages = []\nslots = "one"\n'
    (tmp_path / "made.toml").write_text(FACTORIES + server + PAIR.format("made", "mine", "made", "mine"))
    done = gatebench("plan", "made.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "made.toml: pair[0].a.server: mine calls no factory, and made is made:create_wsgi()" in done.stderr
