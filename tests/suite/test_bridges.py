"""A WSGI app that an ASGI server serves through a bridge."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.errors import DefinitionError
from harness.subject.launch import BRIDGE, fill, settings
from harness.subject.services import Services
from harness.suite import Arm, Closed, Options, build, load_definitions, load_suite, slots
from harness.suite.choice import arm_of

KNOWN = load_definitions()

SUITE = """
[[target]]
name = "shop"
interface = "{interface}"
bridge = "{bridge}"
app = "shop:{app}"
packages = []
handler = "{handler}"
env = {{ PYTHONPATH = "/srv/lib" }}

[[scenario]]
name = "page"
about = "A page."
request = {{ path = "/" }}
expect = {{ status = 200 }}

[[pair]]
scenario = "page"
a = {{ target = "shop", server = "uvicorn", threads = 4 }}
b = {{ target = "shop", server = "gunicorn-uvicorn" }}
"""
GOOD = {"interface": "asgi", "bridge": "a2wsgi", "app": "make()", "handler": "threadpool"}


def suite_of(folder: Path, text: str = SUITE, **changes: str) -> Path:
    """A suite file with an app behind a bridge."""
    path = folder / "shop.toml"
    path.write_text(text.format(**GOOD | changes))
    return path


def arms(path: Path) -> tuple[Arm, Arm]:
    """The two arms of that suite."""
    a, b = build(*load_suite(str(path)), Options(seed=1)).groups[0].arms
    return a, b


def test_what_is_served_is_the_bridge_and_it_is_told_of_the_app(tmp_path: Path) -> None:
    """Also of a factory, which the server then need not know how to call. A path of the target's own stays."""
    arm, _ = arms(suite_of(tmp_path))
    argv = fill(arm, KNOWN.factors.values(), "127.0.0.1", 1)
    env = settings(arm, KNOWN.factors.values(), Services())
    assert argv[:4] == [sys.executable, "-m", "uvicorn", "gatebench_bridge:app"]
    assert "--factory" not in argv
    assert env["PYTHONPATH"] == f"{BRIDGE}:/srv/lib"
    assert (BRIDGE / "gatebench_bridge.py").is_file()
    assert (env["GATEBENCH_BRIDGE"], env["GATEBENCH_BRIDGED"]) == ("a2wsgi:WSGIMiddleware", "shop:make()")
    assert (env["GATEBENCH_BRIDGE_THREADS"], env["GATEBENCH_THREADS"]) == ("workers", "4")


def test_a_bridge_brings_its_package_and_its_threads(tmp_path: Path) -> None:
    """The slots of a worker are the bridge's, and a level of threads is its own."""
    a, b = arms(suite_of(tmp_path))
    assert {"uvicorn", "a2wsgi"} <= {*a.server.packages}
    assert (slots(a), slots(b)) == (4, 8)
    assert a.label == "shop on uvicorn (4 threads)"


def test_starlettes_bridge_has_the_threads_of_anyio() -> None:
    """Which nothing sets."""
    target, server = KNOWN.targets["flask-bridged-starlette"], KNOWN.servers["uvicorn"]
    load = (Closed(connections=1),)
    arm = arm_of(KNOWN, "t1", target, server, KNOWN.scenarios["json"], levels={"threads": 4}, loads=load)
    assert (slots(arm), arm.cell.threads) == (40, 1)
    assert "starlette" in arm.server.packages


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"bridge": "a2wgsi"}, r"target\[0\]\.bridge: .*a2wgsi.*a2wsgi"),
        ({"interface": "wsgi"}, r"target\[0\]\.interface: bridge a2wsgi makes .* write asgi"),
        ({"handler": "sync"}, r"target\[0\]\.handler: .* write threadpool"),
        ({"app": "make(1)"}, r"target\[0\]\.app: a bridge calls a factory without arguments only"),
    ],
)
def test_a_bridge_that_cannot_be_is_refused_with_its_key(tmp_path: Path, change: dict[str, str], problem: str) -> None:
    """With what to write instead."""
    with pytest.raises(DefinitionError, match=problem):
        load_suite(str(suite_of(tmp_path, **change)))


def test_a_bridge_of_the_users_own_stands_in_the_suite(tmp_path: Path) -> None:
    """As any definition."""
    own = SUITE.replace(", threads = 4", "") + '[[bridge]]\nname = "mine"\nwraps = "mine.wrap:Wrapper"\npackages = []\n'
    arm, _ = arms(suite_of(tmp_path, own, bridge="mine"))
    assert arm.server.env["GATEBENCH_BRIDGE"] == "mine.wrap:Wrapper"
    with pytest.raises(DefinitionError, match=r"bridge\[0\]\.wraps"):
        load_suite(str(suite_of(tmp_path, own.replace("mine.wrap:Wrapper", "mine"), bridge="mine")))


def test_the_migration_is_told_in_one_run() -> None:
    """Flask, the bridged Flask and FastAPI stand in one group of a scenario, so that all are measured side by side."""
    plan = build(*load_suite("migration"), Options(seed=1))
    for group in plan.groups:
        assert {"flask", "flask-bridged", "fastapi"} <= {arm.target.name for arm in group.arms}
    natives = {arm.cell.threads for group in plan.groups for arm in group.arms if arm.target.name == "flask"}
    bridged = {arm.cell.threads for group in plan.groups for arm in group.arms if arm.target.name == "flask-bridged"}
    assert natives == bridged == {8}
