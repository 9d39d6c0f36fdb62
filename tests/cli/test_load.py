"""`gatebench load`: what its options mean, and what it refuses."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.cli.load import Address, address_of, load_of
from harness.cli.options import seconds
from harness.errors import UsageError
from harness.spec import DrivenArm, Request, Spec
from harness.spec.loads import Closed, Open
from tests.loadtests.engine_support import null_server, run_rounds


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8000/json?a=1", Address("127.0.0.1", 8000, "/json?a=1")),
        ("http://[::1]:81", Address("::1", 81, "/")),
        ("http://localhost/x", Address("localhost", 80, "/x")),
        ("https://shop.test/x", Address("tls:shop.test", 443, "/x")),
        ("http+unix:/run/shop.sock", Address("unix:/run/shop.sock", 0, "/")),
        ("http+unix:/run/shop.sock:/json?a=1", Address("unix:/run/shop.sock", 0, "/json?a=1")),
        ("http+unix://%2Frun%2Fshop.sock/json", Address("unix:/run/shop.sock", 0, "/json")),
    ],
)
def test_a_url_is_split_into_host_port_and_path(url: str, address: Address) -> None:
    """Host, port and path with its query."""
    assert address_of(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "ftp://127.0.0.1/",
        "http+unix:run/shop.sock",
        "http://ada@h/",
        "127.0.0.1:80",
        "http://h:99999/",
        "http://h/ü",
        "http://h/a b",
        "http:///x",
    ],
)
def test_a_url_that_cannot_be_asked_is_refused_by_name(url: str) -> None:
    """A sentence that begins with it, never a traceback."""
    with pytest.raises(UsageError) as refused:
        address_of(url)
    assert str(refused.value).startswith(url)


@pytest.mark.parametrize("rate_rps", [float("nan"), float("inf"), -1.0, 0.0, 5e6])
def test_a_rate_that_no_generator_can_offer_is_refused(rate_rps: float) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match="--rate"):
        load_of(64, rate_rps, "poisson", "queue")


def test_options_become_a_load() -> None:
    """Closed without a rate, open with one; words that mean nothing are refused with those that do."""
    assert load_of(8, None, "poisson", "queue") == Closed(connections=8)
    opened = Open(connections=8, rate_rps=5.0, arrivals="burst:3", when_full="drop")
    assert load_of(8, 5.0, "burst:3", "drop") == opened
    with pytest.raises(UsageError, match="--arrivals: 'burst' is no arrival law"):
        load_of(8, 5.0, "burst", "queue")
    with pytest.raises(UsageError, match="--when-full wait: one of queue, drop"):
        load_of(8, 5.0, "poisson", "wait")


def test_a_warm_up_may_last_zero_seconds_and_a_duration_may_not() -> None:
    """So that a cold start can be measured."""
    assert seconds("0", or_none=True) == 0.0
    for text in ("0", "", "-1s", "1d", "nan", "9" * 400):
        with pytest.raises(UsageError, match="is no duration"):
            seconds(text)


@pytest.mark.parametrize("header", ["no colon", "a b: c", "x: \x00", "x: é", ": v"])
def test_a_header_that_http_does_not_allow_is_refused(header: str) -> None:
    """Exit code 2 and a sentence."""
    done = CliRunner().invoke(app, ["load", "http://127.0.0.1:1/", "--connections", "1", "--header", header])
    assert isinstance(done.exception, UsageError)
    assert "--header" in str(done.exception)


@pytest.mark.live
def test_a_rate_is_warmed_up_at_that_rate() -> None:
    """The server sees the arrivals of the lead and of the window and one request a connection, no flood before them."""
    with null_server("null") as server:
        arm = DrivenArm(name="a", port=server.port, load=Open(connections=4, rate_rps=50.0), request=Request(length=5))
        phase = Spec(arms=(arm,), rounds=((0,),), slice_s=0.5, warmup_s=0.0, lead_s=1.0)
        (total,) = run_rounds(phase).totals
        assert 40 < total.attempts < 160
        assert server.seen()["requests"] == total.attempts


@pytest.mark.live
def test_what_listens_on_a_unix_socket_is_driven(tmp_path: Path) -> None:
    """As is what listens on a port: answers come, and none fails."""

    class Hello(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/hello?a=1" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Its client has no address to log."""

    path = tmp_path / "app.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Hello) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http+unix:{path}:/hello?a=1"
            options = ["--connections", "2", "--duration", "0.2s", "--warmup", "0.1s", "--json"]
            done = CliRunner().invoke(app, ["load", url, *options])
        finally:
            server.shutdown()
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["requests"] > 0
    assert summary["errors"] == 0


@pytest.mark.live
def test_a_rate_that_is_too_high_ends_when_it_should() -> None:
    """Arrivals that are always due leave the end of the slice its turn."""
    with null_server("null") as server:
        arm = DrivenArm(name="a", port=server.port, load=Open(connections=4, rate_rps=1e6), request=Request(length=5))
        phase = Spec(arms=(arm,), rounds=((0,),), slice_s=0.5, warmup_s=0.0, read_timeout_s=1.0)
        (outcome,) = run_rounds(phase).slices
    assert outcome.dropped > 0
    assert outcome.scheduled is not None
    assert outcome.done is not None
    assert outcome.done < outcome.scheduled
