"""What the connections of one arm share: where to, what is sent, what must come back."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from harness.spec import Request
from loadtests.engine.answer import Answer, Expected

_SMALL = 8192
_LARGE = 262_144
_RESOLVE_S = 1.0


class Exchange:
    """One arm's request and its answer."""

    def __init__(
        self, request: Request, host: str, port: int, *, connect_timeout_s: float, read_timeout_s: float
    ) -> None:
        self.family, self.address = resolve(host, port)
        self.data = prepare(request, host, port)
        self.expected = Expected(
            status=request.status, length=request.length, sha256=request.sha256, head=request.method == "HEAD"
        )
        self.connect_timeout_ns = round(connect_timeout_s * 1e9)
        self.read_timeout_ns = round(read_timeout_s * 1e9)
        self.template: bytes | None = None
        """The bytes of the last good answer that was fully checked."""
        self.chunk = _SMALL
        self.body_length = 0
        self._digest_every = request.digest_every
        self._parsed = 0

    def digest_next(self) -> bool:
        """Whether the next answer is one whose body's sum is checked."""
        self._parsed += 1
        return self._parsed % self._digest_every == 1 or self._digest_every == 1

    def learn(self, raw: bytes, answer: Answer, *, digested: bool) -> None:
        """A good answer: it is the template from now on, if all of it was checked."""
        self.body_length = answer.length
        if answer.keep_alive and (digested or self.expected.sha256 is None):
            self.template = raw
            self.chunk = _SMALL if len(raw) < _SMALL else _LARGE


def resolve(host: str, port: int) -> tuple[int, tuple[Any, ...]]:
    """Family and address of a host; of several, the first at which somebody listens: localhost is two."""
    found = [
        (int(family), address) for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]
    for family, address in found if len(found) > 1 else []:
        with socket.socket(family, socket.SOCK_STREAM) as tried, suppress(OSError):
            tried.settimeout(_RESOLVE_S)
            tried.connect(address)
            return family, address
    return found[0]


def prepare(request: Request, host: str, port: int) -> bytes:
    """The request as bytes; its own headers come before the ones that are added."""
    name = f"[{host}]" if ":" in host else host
    headers = {"host": ("Host", f"{name}:{port}"), "accept-encoding": ("Accept-Encoding", "identity")}
    body = request.body.encode()
    if body or request.method in {"POST", "PUT", "PATCH"}:
        headers["content-length"] = ("Content-Length", str(len(body)))
    lines = [f"{request.method} {request.path} HTTP/1.1"]
    given = {key.lower() for key, _ in request.headers}
    lines += [f"{key}: {value}" for low, (key, value) in headers.items() if low not in given]
    lines += [f"{key}: {value}" for key, value in request.headers]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError(f"a line break in the head of {request.method} {request.path!r}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
