"""How a host is written where an arm listens: HOST, `unix:PATH`, and `tls:` before either where TLS is spoken."""

from __future__ import annotations

import ssl

UNIX = "unix:"
"""How a host begins that is a unix socket."""
TLS = "tls:"
"""How a host begins with which TLS is spoken."""


def without_tls(host: str) -> str:
    """The host, without the word on whether TLS is spoken there."""
    return host.removeprefix(TLS)


def tls_context() -> ssl.SSLContext:
    """What TLS is spoken with: HTTP/1.1, and no certificate is checked, for what it costs is asked, not who answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def server_name(host: str) -> str:
    """The name that a client asks for; a unix socket has none, and stands for this machine."""
    bare = without_tls(host)
    return "localhost" if bare.startswith(UNIX) else bare
