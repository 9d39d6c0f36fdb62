"""A server that speaks TLS, with a certificate that nobody has signed but itself."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

NEEDS_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
PATIENCE_S = 20


def server_context(folder: Path) -> ssl.SSLContext:
    """A context with a fresh certificate, whose files stand in `folder`."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    argv = ["openssl", "req", "-x509", *kind, "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@contextmanager
def serving(
    listener: socket.socket, context: ssl.SSLContext, serve: Callable[[ssl.SSLSocket], None]
) -> Iterator[list[str | None]]:
    """`serve` each connection of `listener` in its turn, in a thread; gives the names that the clients asked for."""
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    listener.settimeout(PATIENCE_S)

    def work() -> None:
        with suppress(OSError):  # the listener is closed, or the client has gone
            while True:
                peer, _ = listener.accept()
                peer.settimeout(PATIENCE_S)
                with context.wrap_socket(peer, server_side=True) as spoken:
                    serve(spoken)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield names
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
