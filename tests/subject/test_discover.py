"""What an app's own interpreter says of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.subject import discover
from harness.subject.discover import Candidate, candidates, interpreter, look

pytestmark = [pytest.mark.live, pytest.mark.beside]

APPS = """
import asyncio
from fastapi import APIRouter, FastAPI
from flask import Flask

shop = Flask(__name__)


@shop.get("/basket/<int:number>")
def basket(number):
    return {}


@shop.post("/order")
def order():
    return {}


router = APIRouter(prefix="/api")


@router.get("/slow")
def slow():
    return {}


@router.get("/quick")
async def quick():
    return {}


async def lending():
    return await asyncio.get_running_loop().run_in_executor(None, dict)


@router.get("/lent")
async def lent():
    return await lending()


fast = FastAPI()
fast.include_router(router)


class Middleware:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


wrapped = Middleware(fast)


def bare(environ, start_response):
    return []


async def bare_async(scope, receive, send):
    pass


def create_app():
    return shop


number = 3
"""


BARE = """

def app(environ, start_response):
    return []
"""


ROUTES = ("/api/slow", "/api/quick", "/api/lent")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "apps.py").write_text(APPS)
    return tmp_path


@pytest.mark.parametrize(
    ("app", "path", "said"),
    [
        ("apps:shop", "/", ("wsgi", "flask", "sync", ("/basket/<int:number>",))),
        ("apps:create_app()", "/", ("wsgi", "flask", "sync", ("/basket/<int:number>",))),
        ("apps:fast", "/api/slow", ("asgi", "fastapi", "threadpool", ROUTES)),
        ("apps:fast", "/api/quick?x=1", ("asgi", "fastapi", "async", ROUTES)),
        ("apps:wrapped", "/api/slow", ("asgi", "fastapi", "threadpool", ROUTES)),
        ("apps:bare", "/", ("wsgi", "", "sync", ())),
        ("apps:bare_async", "/", ("asgi", "", "async", ())),
    ],
)
def test_interface_framework_handler_and_routes_are_found_out(
    folder: Path, app: str, path: str, said: tuple[str, str, str, tuple[str, ...]]
) -> None:
    """Of apps, factories, what middleware is wrapped around, and bare callables."""
    found = look(folder, sys.executable, app, path)
    assert (found.interface, found.framework, found.handler, found.routes) == said


@pytest.mark.parametrize(
    ("path", "lends"), [("/api/lent", "run_in_executor"), ("/api/quick", ""), ("/api/slow", ""), ("/nowhere", "")]
)
def test_a_coroutine_that_hands_its_work_to_threads_is_told_apart(folder: Path, path: str, lends: str) -> None:
    """By itself, or through a function that it calls."""
    assert look(folder, sys.executable, "apps:fast", path).lends == lends


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("apps", "write module:app"),
        ("nowhere:app", "No module named 'nowhere'"),
        ("apps:nothing", "has no attribute 'nothing'"),
        ("apps:number", "is neither a WSGI nor an ASGI app"),
        ("apps:create_app", "if it makes one, write apps:create_app()"),
        ("ends:app", "fails: SystemExit: 3"),
        ("unset:app", "export what it reads from its environment, or give `gatebench init` --env NAME=VALUE"),
        ("asks:app", "export what it reads from its environment, or give `gatebench init` --env NAME=VALUE"),
    ],
)
def test_what_is_no_app_is_told_with_the_remedy(folder: Path, app: str, said: str) -> None:
    """In one message."""
    (folder / "ends.py").write_text("raise SystemExit(3)\n")
    (folder / "unset.py").write_text("import os\nos.environ['GEO_CONFIG']\n")
    (folder / "asks.py").write_text("raise RuntimeError('GEO_CONFIG environment variable not set')\n")
    with pytest.raises(UsageError) as told:
        look(folder, sys.executable, app)
    assert said in str(told.value)


def test_an_app_sees_the_variables_that_are_stated(folder: Path) -> None:
    """As it does when it is launched."""
    (folder / "unset.py").write_text("import os\nfrom apps import bare as app\nos.environ['GEO_CONFIG']\n")
    assert look(folder, sys.executable, "unset:app", env={"GEO_CONFIG": "x"}).interface == "wsgi"


def test_the_versions_of_what_an_installed_app_is_made_of_are_noted(folder: Path) -> None:
    """Its own distribution, and where its framework is unknown those of what its module names."""
    assert look(folder, sys.executable, "apps:shop").packages == ("flask", "werkzeug")
    (folder / "report.py").write_text("import json\nimport jinja2\nfrom gunicorn.app.base import Application\n" + BARE)
    assert look(folder, sys.executable, "report:app").packages == ("gunicorn", "jinja2")
    assert look(folder, sys.executable, "fastapi.applications:Starlette()").packages == ("fastapi", "starlette")


def test_what_lies_in_the_folder_of_an_app_is_no_installed_distribution(folder: Path) -> None:
    """As in a checkout with its metadata beside it: the interpreter alone would not know its version."""
    site = folder / "geo-1.2.dist-info"
    site.mkdir()
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: geo\nVersion: 1.2\n")
    (site / "top_level.txt").write_text("geo\n")
    (folder / "geo.py").write_text(BARE)
    assert look(folder, sys.executable, "geo:app").packages == ()


def test_an_app_in_debug_mode_is_known_as_one(folder: Path) -> None:
    """Nobody deploys it so, and it is slower."""
    (folder / "debugged.py").write_text("from apps import shop, fast\nshop.debug = True\n")
    assert look(folder, sys.executable, "debugged:shop").debug
    assert not look(folder, sys.executable, "debugged:fast").debug


def test_an_app_that_does_not_come_to_an_end_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline."""
    (folder / "server.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.setattr(discover, "LOOK_S", 0.5)
    with pytest.raises(UsageError, match="has not imported it after"):
        look(folder, sys.executable, "server:app")


def test_likely_apps_are_found_in_the_text_alone(tmp_path: Path) -> None:
    """What surely is one first, then what is called so, then factories; nothing is imported."""
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    boom = "raise SystemExit\n"
    (tmp_path / "src" / "shop" / "__init__.py").write_text(boom + "def create_app(config=None): ...\n")
    (tmp_path / "src" / "shop" / "wsgi.py").write_text(boom + "application = create_app()\n")
    (tmp_path / "main.py").write_text(boom + "try:\n    web = FastAPI()\nexcept E:\n    pass\n")
    (tmp_path / "script.py").write_text('if __name__ == "__main__":\n    app = Flask()\n')
    (tmp_path / "broken.py").write_text("app = (\n")
    for skipped in ("tests/app.py", "venv/app.py", "test_app.py", "setup.py"):
        (tmp_path / skipped).write_text("app = Flask(__name__)\n")
    assert candidates(tmp_path, sys.executable) == (
        Candidate(folder=".", app="main:web"),
        Candidate(folder="src", app="shop.wsgi:application"),
        Candidate(folder="src", app="shop:create_app()"),
    )


def test_the_interpreter_is_that_of_the_apps_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the app, then the activated one, then ours; one that is stated must be there."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert interpreter(tmp_path) == sys.executable
    for name in ("activated", "app/.venv"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "activated"))
    assert interpreter(tmp_path) == str(tmp_path / "activated/bin/python")
    assert interpreter(tmp_path / "app") == str(tmp_path / "app/.venv/bin/python")
    with pytest.raises(UsageError, match="--python nowhere"):
        interpreter(tmp_path, "nowhere")


def test_an_interpreter_with_a_nul_in_its_name_is_no_program(tmp_path: Path) -> None:
    """No call of the system takes it."""
    with pytest.raises(UsageError, match="no program that can be run"):
        interpreter(tmp_path, "a\0b")
