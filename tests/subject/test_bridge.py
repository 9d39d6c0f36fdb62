"""A WSGI app answers through each shipped bridge."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import LaunchError
from harness.subject.launch import launch
from harness.subject.receipts import receipts
from harness.subject.services import Services
from harness.suite import Arm, Ask, Closed, Expect, Target, load_definitions
from harness.suite.choice import arm_of
from tests import factories

KNOWN = load_definitions()
APP = """
def make():
    def app(environ, start_response):
        body = environ["wsgi.input"].read() + environ["REQUEST_METHOD"].encode() + environ["PATH_INFO"].encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    return app
"""


def arm(folder: Path, bridge: str, app: str = "app:make()") -> Arm:
    """That app behind a bridge on uvicorn."""
    (folder / "app.py").write_text(APP)
    target = Target(
        name="mine", interface="asgi", bridge=bridge, app=app, folder=str(folder), python=sys.executable, packages=(),
        handler="threadpool",
    )  # fmt: skip
    request = Ask(method="POST", path="/asked", body="what is ")
    scenario = factories.scenario(request=request, expect=Expect(contains="what is POST/asked"))
    loads = (Closed(connections=1),)
    known = replace(KNOWN, targets={"mine": target}, scenarios={scenario.name: scenario})
    return arm_of(known, "t1", target, KNOWN.servers["uvicorn"], scenario, levels={}, loads=loads)


@pytest.mark.live
@pytest.mark.beside
@pytest.mark.parametrize("bridge", sorted(KNOWN.bridges))
def test_a_wsgi_app_answers_through_its_bridge(tmp_path: Path, bridge: str) -> None:
    """With its body and its path, as behind a server of its own."""
    mine = arm(tmp_path, bridge)
    assert receipts([mine]).missing == {}
    with launch(mine, KNOWN.factors.values(), Services(), cpus=(), log=tmp_path / "log") as server:
        server.wait_ready()
        assert server.verify().body == b"what is POST/asked"


@pytest.mark.live
@pytest.mark.beside
def test_an_app_that_is_not_there_is_told_as_of_any_server(tmp_path: Path) -> None:
    """By the name that the app has, not by that of the bridge."""
    mine = arm(tmp_path, "a2wsgi", "nothing:app")
    with (
        launch(mine, KNOWN.factors.values(), Services(), cpus=(), log=tmp_path / "log") as server,
        pytest.raises(LaunchError, match="No module named 'nothing'"),
    ):
        server.wait_ready()


def test_a_bridge_whose_package_is_lacking_says_how_to_install_it(tmp_path: Path) -> None:
    """As the packages of a server."""
    mine = arm(tmp_path, "a2wsgi")
    lacks = replace(mine, server=replace(mine.server, packages=("no-such-bridge",)))
    assert receipts([lacks]).missing == {
        "t1": f"{sys.executable} lacks no-such-bridge: {sys.executable} -m pip install no-such-bridge"
    }
