"""Where something listens that runs already: the `url` of a target."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from harness.spec import TLS, UNIX
from harness.spec.hosts import without_tls

LOOPBACK = "127.0.0.1"
LONGEST_SOCKET = 107
"""Bytes of a unix socket's path (sockaddr_un)."""
FORMS = "write http://HOST:PORT, https://HOST:PORT, http://[::1]:PORT, or http+unix:/PATH/OF/SOCKET"
PORTS = {"http": 80, "https": 443}
"""The usual ones (RFC 9110, section 4.2)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, or `unix:PATH` and 0; `tls:` before the host where TLS is spoken."""

    host: str
    port: int


def address_of(url: str) -> Address:
    """The address in `url`; raises `ValueError` that says what to write instead."""
    parts = urlsplit(url)  # a ValueError of its own: brackets that do not close
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a name or a password: put it into a header of the request")
    if parts.query or parts.fragment:
        raise ValueError("holds a query or a fragment: put it into the path of the scenario's request")
    if parts.scheme == "http+unix":
        return _of_socket(unquote(parts.netloc) + unquote(parts.path))
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(FORMS)
    if parts.path not in {"", "/"}:
        raise ValueError("holds a path: put it into the path of the scenario's request")
    port = PORTS[parts.scheme] if parts.port is None else parts.port
    return Address((TLS if parts.scheme == "https" else "") + parts.hostname, port)


def reachable(url: str) -> bool:
    """Whether another machine may get there, as not to a unix socket or a loopback. Names are not resolved."""
    host = without_tls(address_of(url).host)
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
