"""An ASGI app that does not know the lifespan protocol, as Django's, is served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import gatebench

APP = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError("this app can only handle HTTP")
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hi"})
"""
SUITE = """
about = "Without lifespan."

[[target]]
name = "bare"
interface = "asgi"
app = "bare:app"
folder = "."
packages = []
handler = "async"

[[scenario]]
name = "greeting"
about = "A word."
request = { path = "/" }
expect = { contains = "hi" }

[[pair]]
scenario = "greeting"
a = { target = "bare", server = "uvicorn" }
b = { target = "bare", server = "gunicorn-asgi" }

[[pair]]
scenario = "greeting"
a = { target = "bare", server = "granian-asgi" }
b = { target = "bare", server = "uvicorn-h11", lifespan = "off" }
"""


@pytest.mark.live
@pytest.mark.beside
def test_an_app_without_lifespan_answers_under_every_server(tmp_path: Path) -> None:
    """`auto` is the default of targets that do not say that they have one."""
    (tmp_path / "bare.py").write_text(APP)
    (tmp_path / "bare.toml").write_text(SUITE)
    done = gatebench("verify", "bare.toml", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == {"checked": 4, "failed": [], "machines": []}, done.stderr
