"""What the connections of one arm share: the address, the request, the expected answer."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

from harness.spec import TLS, UNIX, Request
from harness.spec.hosts import server_name, without_tls
from loadtests.engine.answer import AnswerReader, Expected

_SMALL = 8192
_LARGE = 262_144
"""Bytes that a connection asks the kernel for at once, for short answers and for long ones."""
_RESOLVE_S = 1.0
"""For a connection attempt that finds out which address of a host has a listener."""
_NEVER_IN_A_HEAD = ("\r", "\n", "\0")


class Backends:
    """The addresses of an arm in several pods, over which its connections are spread as a service does it.

    Each connection that is opened goes to one of them by chance. One that is kept alive stays where it is.
    """

    def __init__(self, addresses: Sequence[Any]) -> None:
        self._addresses = tuple(addresses)
        self._chance = Random()

    def begin(self, seed: str) -> None:
        """Draw from this seed on, that of a slice: the two arms of a pair and a run that is repeated draw alike."""
        self._chance = Random(seed)

    def drawn(self) -> Any:
        """Where the next connection goes."""
        return self._addresses[int(self._chance.random() * len(self._addresses))]


class Exchange:
    """One arm's request and the answer that it must get."""

    def __init__(
        self,
        request: Request,
        host: str,
        port: int,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        at: tuple[int, Any] | None = None,
        backends: Backends | None = None,
    ) -> None:
        """`at` is the family and the address where these are known; else the host is resolved."""
        self.family, self.address = at or resolve(host, port)
        self.backends = backends
        """Where connections go in the place of `address`; None: all go there."""
        self.tls = server_name(host) if host.startswith(TLS) else None
        """The name of a server that speaks TLS."""
        self.data = prepare(request, host, port)
        self.expected = Expected(
            status=request.status, length=request.length, sha256=request.sha256, head=request.method == "HEAD"
        )
        self.connect_timeout_ns = round(connect_timeout_s * 1e9)
        self.read_timeout_ns = round(read_timeout_s * 1e9)
        self.template: bytes | None = None
        """The bytes of the last good answer whose every check was made: an answer that is equal needs no parser."""
        self.chunk = _SMALL
        """Bytes to ask the kernel for at once."""
        self.body_length = 0
        """Bytes in the body of the last good answer."""
        self._digest_every = request.digest_every
        self._parsed = 0

    def digest_next(self) -> bool:
        """Count an answer that is parsed; True when its body is to be checked by its digest."""
        self._parsed += 1
        return self._parsed % self._digest_every == 1 or self._digest_every == 1

    def learn(self, raw: bytes, answer: AnswerReader, *, digested: bool) -> None:
        """Note a good answer; it is the template from now on, if its digest was checked or none is expected."""
        self.body_length = answer.length
        if answer.keep_alive and (digested or self.expected.sha256 is None):
            self.template = raw
            self.chunk = _SMALL if len(raw) < _SMALL else _LARGE


def resolve(host: str, port: int) -> tuple[int, Any]:
    """Family and address of a host: of several, the first with a listener, for localhost is both ::1 and 127.0.0.1.

    Raises `OSError` when the name has no address.
    """
    host = without_tls(host)
    if host.startswith(UNIX):
        return socket.AF_UNIX, host.removeprefix(UNIX)
    addresses = [
        (int(family), address) for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]
    for family, address in addresses if len(addresses) > 1 else []:
        with socket.socket(family, socket.SOCK_STREAM) as attempt, suppress(OSError):
            attempt.settimeout(_RESOLVE_S)
            attempt.connect(address)
            return family, address
    return addresses[0]


def spread(host: str, ports: Sequence[int]) -> Backends | None:
    """What spreads connections over several ports of a host; None where it is one. Raises as `resolve` does."""
    return Backends([resolve(host, port)[1] for port in ports]) if len(ports) > 1 else None


def prepare(request: Request, host: str, port: int) -> bytes:
    """The request as bytes, with the headers that HTTP asks for; those of the request itself take their place.

    Raises `ValueError` when method, path or a header cannot stand in the head of a request.
    """
    host = without_tls(host)
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = {
        "host": ("Host", "localhost" if host.startswith(UNIX) else name),
        "accept-encoding": ("Accept-Encoding", "identity"),
    }
    body = request.body.encode()
    if body or request.method in {"POST", "PUT", "PATCH"}:
        headers["content-length"] = ("Content-Length", str(len(body)))
    own = {key.lower() for key, _ in request.headers}
    lines = [f"{request.method} {request.path} HTTP/1.1"]
    lines += [f"{key}: {value}" for lower, (key, value) in headers.items() if lower not in own]
    lines += [f"{key}: {value}" for key, value in request.headers]
    if any(character in line for line in lines for character in _NEVER_IN_A_HEAD):
        raise ValueError(f"a line break or NUL in the head of {request.method} {request.path!r}")
    try:
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise ValueError(f"{character!r} in the head of {request.method} {request.path!r}: write it in %XX") from error
    return head + body
