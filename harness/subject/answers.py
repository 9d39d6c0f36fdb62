"""Whether a server is ready, and whether it answers rightly."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.errors import AnswerError, LaunchError
from harness.machine.logs import one_line
from harness.machine.process import Process
from harness.spec import TLS, UNIX
from harness.spec.hosts import server_name, tls_context, without_tls
from harness.subject import connections
from harness.subject.attached import Attached
from harness.suite import READY_S, Ask, Expect

POLL_S = 0.01
MOVED, FAILED = 300, 400
"""The lowest statuses of redirects and of failures (RFC 9110, section 15)."""
ASK_S = 10.0
"""How long one answer may take, from the connection to its last byte."""
SHOWN_BYTES = 120
"""How much of a wrong body an error shows."""
HELD_S = 90.0
"""How long the answer to a request may take that is held beside others: taking long is what it is for."""
PIECE_BYTES = 65_536
LONGEST_BODY_BYTES = 64 * 2**20
"""A server whose body is longer is taken to send without end."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the body."""
        return hashlib.sha256(self.body).hexdigest()


def ask(
    host: str, port: int, request: Ask, timeout_s: float = ASK_S, enough: Callable[[Answer], bool] | None = None
) -> Answer:
    """Send `request` on a connection of its own, and read the whole answer within `timeout_s`.

    Of an answer that does not say how long it is no more is read than is `enough`: it may have no end. Raises
    `AnswerError` when none comes, or it is not HTTP, or its body is longer than LONGEST_BODY_BYTES.
    """
    connection = _Connection(without_tls(host), port, timeout=timeout_s)
    connection.tls = server_name(host) if host.startswith(TLS) else ""
    ours = {} if "accept-encoding" in map(str.lower, request.headers) else {"Accept-Encoding": "identity"}
    try:
        if without_tls(host).startswith(UNIX) and "host" not in map(str.lower, request.headers):
            ours["Host"] = "localhost"
        connection.request(request.method, request.path, request.body.encode() or None, ours | request.headers)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        if enough is not None and response.length is None:
            return _begun(response, headers, enough)
        return Answer(response.status, headers, _body(response))
    except TimeoutError as error:
        raise AnswerError(f"no whole answer after {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: what cannot be sent or parsed
        raise AnswerError(f"no answer: {type(error).__name__}: {one_line(str(error))}") from error
    finally:
        connection.close()


def _body(response: http.client.HTTPResponse) -> bytes:
    """The whole body; `response.length` is None where its end is not known before."""
    if response.length is None:
        body = response.read(LONGEST_BODY_BYTES + 1)
        too_long = len(body) > LONGEST_BODY_BYTES
    else:
        too_long = response.length > LONGEST_BODY_BYTES
        body = b"" if too_long else response.read()
    if too_long:
        raise _too_long()
    return body


def _begun(response: http.client.HTTPResponse, headers: dict[str, str], enough: Callable[[Answer], bool]) -> Answer:
    """As much of the answer as is `enough`, or all of it."""
    answer = Answer(response.status, headers, b"")
    with response:
        while not enough(answer) and (piece := response.read1(PIECE_BYTES)):
            answer = Answer(response.status, headers, answer.body + piece)
            if len(answer.body) > LONGEST_BODY_BYTES:
                raise _too_long()
    return answer


def _too_long() -> AnswerError:
    return AnswerError(f"a body of more than {LONGEST_BODY_BYTES} bytes")


class _Socket(socket.socket):
    """A socket whose time-out is one for everything that it still does, not for each call."""

    deadline = 0.0
    """On the monotonic clock."""

    def sendall(self, *args: Any) -> None:
        """Send within the time that is left."""
        self._wait_no_longer()
        super().sendall(*args)

    def recv_into(self, *args: Any) -> int:
        """Receive within the time that is left; `http.client` reads through this method alone."""
        self._wait_no_longer()
        return super().recv_into(*args)

    def _wait_no_longer(self) -> None:
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self.settimeout(left_s)


class _TlsSocket(_Socket, ssl.SSLSocket):
    """The same where TLS is spoken."""


class _Connection(http.client.HTTPConnection):
    """An HTTP connection whose `timeout` is for all of it: connecting, sending, and the answer."""

    tls = ""
    """The name of a server that speaks TLS; empty: it does not."""

    def connect(self) -> None:
        """Connect, and let the clock run."""
        deadline = time.monotonic() + (self.timeout or 0.0)
        if self.host.startswith(UNIX):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.host.removeprefix(UNIX))
        else:
            super().connect()
        if self.tls:
            self.sock.settimeout(max(deadline - time.monotonic(), POLL_S))
            context = tls_context()
            context.sslsocket_class = _TlsSocket
            spoken = context.wrap_socket(self.sock, server_hostname=self.tls)
            assert isinstance(spoken, _TlsSocket)  # noqa: S101 - its context makes no others
            self.sock = spoken
        else:
            self.sock = _Socket(fileno=self.sock.detach())
        self.sock.deadline = deadline


def wait_until(process: Process | Attached, what: str, ready: Callable[[], T | None], timeout_s: float = READY_S) -> T:
    """Poll `ready` until it returns something; raises `LaunchError` if the process dies or the time is up.

    `ready` may raise `OSError` or `AnswerError`: then it is not so yet. What it returns counts only if the process
    lives afterwards, for somebody else may have answered.
    """
    deadline = time.monotonic() + timeout_s
    problem = ""
    while process.alive():
        try:
            value = ready()
        except (OSError, AnswerError) as error:
            value, problem = None, f" ({one_line(str(error))})"
        if value is not None and process.alive():
            return value
        if time.monotonic() > deadline:
            raise LaunchError(process.with_log(f"is not {what} after {timeout_s:g} s{problem}"))
        time.sleep(POLL_S)
    raise process.died()


def wait_ready(
    process: Process | Attached, host: str, port: int, request: Ask, timeout_s: float = READY_S, *, good: bool = False
) -> tuple[int, float]:
    """Poll until the server answers HTTP at all, or, with `good`, with a status below 400.

    The status of that answer, and when it was there, on the monotonic clock. Raises `LaunchError`, also if it is not
    ours.
    """

    def ready() -> tuple[int, float]:
        answer = ask(host, port, request, min(ASK_S, timeout_s))
        if good and answer.status >= FAILED:
            raise AnswerError(f"{request.method} {request.path} answers with status {answer.status}")
        return answer.status, time.monotonic()

    first = wait_until(process, "ready", ready, timeout_s)
    require_own(process, port)
    return first


def require_own(process: Process | Attached, port: int) -> None:
    """Raise `LaunchError` when it is not `process`, or one of its session, that listens on `port`.

    To be called once, when something has answered there: a stranger may have taken the port first. What runs already is
    whatever answers there.
    """
    if isinstance(process, Attached):
        return
    if connections.listens(port, process.members()) is False:
        if not process.alive():  # it did not get the port
            raise process.died()
        raise LaunchError(
            process.with_log(
                f"cannot be measured, as another process listens on port {port} ({connections.listener(port)})"
            )
        )


def verify_held(host: str, port: int, request: Ask, expect: Expect) -> Answer:
    """As `verify`, of a request that is held beside others: it may take HELD_S, and a stream need not end.

    Where its status, its headers or a text in it are all that is expected, it is right as soon as these have come.
    """
    needs_all = (expect.body_bytes, expect.sha256, expect.json, expect.sha256_json) != (None,) * 4

    def enough(answer: Answer) -> bool:
        return not needs_all and not differences(answer, expect)

    return verify(host, port, request, expect, HELD_S, enough)


def verify(
    host: str,
    port: int,
    request: Ask,
    expect: Expect,
    timeout_s: float = ASK_S,
    enough: Callable[[Answer], bool] | None = None,
) -> Answer:
    """Ask once (see `ask`) and hold the answer against what is expected; raises `AnswerError`: what differs."""
    try:
        answer = ask(host, port, request, timeout_s, enough)
    except AnswerError as error:
        message = f"{request.method} {request.path}: {error}"
        raise AnswerError(message) from error
    wrong = list(differences(answer, expect))
    if wrong:
        message = f"{request.method} {request.path}: " + "; ".join(wrong)
        raise AnswerError(message)
    return answer


def differences(answer: Answer, expect: Expect) -> list[str]:
    """In what `answer` differs from what is expected; empty where it does not."""
    wrong = []
    if answer.status != expect.status:
        wrong.append(f"status {answer.status}, expected {expect.status}, body {_short(answer.body)}")
    for name, value in expect.headers.items():
        received = answer.headers.get(name.lower())
        if received != value:
            wrong.append(f"header {name}: {received!r}, expected {value!r}")
    if expect.body_bytes is not None and len(answer.body) != expect.body_bytes:
        wrong.append(f"body of {len(answer.body)} bytes, expected {expect.body_bytes}: {_short(answer.body)}")
    if expect.sha256 is not None and answer.sha256 != expect.sha256:
        wrong.append(f"body has digest {answer.sha256}, expected {expect.sha256}: {_short(answer.body)}")
    wrong += [f"header {name} is missing" for name in expect.headers_present if name.lower() not in answer.headers]
    if expect.contains is not None and expect.contains.encode() not in answer.body:
        wrong.append(f"body lacks {expect.contains!r}: {_short(answer.body)}")
    if expect.json is not None or expect.sha256_json is not None:
        wrong += _json_differences(answer.body, expect)
    return wrong


def json_digest(value: Any) -> str:
    """The digest that `sha256_json` compares: of `value` as JSON with sorted keys and no spaces."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _json_differences(body: bytes, expect: Expect) -> list[str]:
    try:
        value: Any = json.loads(body)
    except ValueError:
        return [f"body is not JSON: {_short(body)}"]
    if expect.json is not None and value != expect.json:
        return [f"JSON {_short(body)}, expected {_short(json.dumps(expect.json).encode())}"]
    if expect.sha256_json is not None:
        digest = json_digest(value)
        if digest != expect.sha256_json:
            return [f"JSON has digest {digest}, expected {expect.sha256_json}"]
    return []


def _short(body: bytes) -> str:
    return one_line(body[:SHOWN_BYTES].decode("utf-8", "replace")) + ("..." if len(body) > SHOWN_BYTES else "")
