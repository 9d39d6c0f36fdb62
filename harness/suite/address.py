"""Where something listens that runs already: the `url` of a target."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from harness.spec import UNIX

LOOPBACK = "127.0.0.1"
LONGEST_SOCKET = 107
"""Bytes of a unix socket's path (sockaddr_un)."""
NO_TLS = "the load engine speaks HTTP/1.1 without TLS: give the address behind what ends TLS"
FORMS = "write http://HOST:PORT, http://[::1]:PORT, or http+unix:/PATH/OF/SOCKET"


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, or `unix:PATH` and 0."""

    host: str
    port: int


def address_of(url: str) -> Address:
    """The address in `url`; raises `ValueError` that says what to write instead."""
    parts = urlsplit(url)  # a ValueError of its own: brackets that do not close
    if parts.scheme == "https":
        raise ValueError(NO_TLS)
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a name or a password: put it into the headers of the scenario's request")
    if parts.query or parts.fragment:
        raise ValueError("holds a query or a fragment: put it into the path of the scenario's request")
    if parts.scheme == "http+unix":
        return _of_socket(unquote(parts.netloc) + unquote(parts.path))
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(FORMS)
    if parts.path not in {"", "/"}:
        raise ValueError("holds a path: put it into the path of the scenario's request")
    return Address(parts.hostname, 80 if parts.port is None else parts.port)


def reachable(url: str) -> bool:
    """Whether another machine may get there, as not to a unix socket or a loopback. Names are not resolved."""
    host = address_of(url).host
    if host.startswith(UNIX) or host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def _of_socket(path: str) -> Address:
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f"a unix socket is named by its whole path: {FORMS}")
    if len(path.encode()) > LONGEST_SOCKET:
        raise ValueError(f"a unix socket's path has at most {LONGEST_SOCKET} bytes")
    return Address(UNIX + path, 0)
