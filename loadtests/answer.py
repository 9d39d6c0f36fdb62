"""One answer as httptools parses it, and what it must be.

llhttp leaves three things to its user: that an answer to HEAD, a 204 and a 304 have no body whatever their headers
say, that 1xx answers come before the one that counts, and where a body ends that only the end of the connection ends.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_BODILESS = frozenset({204, 304})
_FINAL = 200


class ProtocolError(Exception):
    """These bytes are no answer, or more than the one that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a good answer is."""

    status: int = 200
    length: int | None = None
    sha256: str | None = None
    head: bool = False
    """The request is a HEAD, so that its answer ends with its headers."""


class Answer:
    """Is fed the bytes of one answer until it is `complete`, then judged; made anew for the next by `restart`."""

    __slots__ = (
        "_bodiless", "_close", "_digest", "_expected", "_framed", "_headers_done", "_keep", "_parser",
        "complete", "keep_alive", "length", "status",
    )  # fmt: skip

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._parser: HttpResponseParser | None = None
        self._close = self._keep = False
        self.restart(digest=False)

    def restart(self, *, digest: bool) -> None:
        """Be ready for the next answer on the same connection; `digest`: take its body's sum."""
        self._digest = hashlib.sha256() if digest and self._expected.sha256 else None
        self.complete = False
        self.keep_alive = False
        self.length = 0
        self._next_head()

    def discard(self) -> None:
        """Forget the parser with what is half parsed; also breaks its reference cycle, as nothing collects those."""
        self._parser = None

    def feed(self, data: bytes) -> None:
        """Parse `data`; raises `ProtocolError` where it is no answer, or goes on behind its end."""
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        try:
            self._parser.feed_data(data[:-1])
            if self.complete:  # llhttp passes over line breaks between messages, and would not tell
                raise ProtocolError("bytes behind the answer")
            self._parser.feed_data(data[-1:])
        except (HttpParserError, HttpParserUpgrade) as error:
            raise ProtocolError(str(error)) from error
        if self._bodiless and self._headers_done and not self.complete:
            # llhttp may now wait for a body that never comes: this parser is of no further use
            self.complete = True
            self.keep_alive = self._keeps()
            self._parser = None

    def end(self) -> bool:
        """The connection has ended; True if that completes the answer."""
        if self._headers_done and not self._framed:
            self.complete = True
        return self.complete

    def verdict(self) -> str | None:
        """None for a good answer, else the kind of its error."""
        expected = self._expected
        if self.status != expected.status:
            return "status"
        if expected.length is not None and self.length != expected.length:
            return "body"
        if self._digest is not None and self._digest.hexdigest() != expected.sha256:
            return "body"
        return None

    # what httptools calls

    def on_message_begin(self) -> None:
        """Nothing may follow the answer: one request is on the wire at a time."""
        if self.complete:
            raise ProtocolError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note what frames the body and what becomes of the connection."""
        name = name.lower()
        if name == b"connection":
            value = value.lower()
            self._close = self._close or b"close" in value
            self._keep = self._keep or b"keep-alive" in value
        elif name in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        """The status is known."""
        assert self._parser is not None  # noqa: S101 - it is what calls
        self.status = self._parser.get_status_code()
        self._headers_done = self.status >= _FINAL
        self._bodiless = self._expected.head or self.status in _BODILESS

    def on_body(self, body: bytes) -> None:
        """Count and sum up."""
        if self._bodiless:
            raise ProtocolError("a body where there is none")
        self.length += len(body)
        if self._digest is not None:
            self._digest.update(body)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was one of those that only announce it."""
        if self._headers_done:
            self.complete = True
            self.keep_alive = self._keeps()
        else:
            self._next_head()

    def _next_head(self) -> None:
        self.status = 0
        self._headers_done = self._bodiless = False
        self._framed = self._close = self._keep = False

    def _keeps(self) -> bool:
        """RFC 9112 section 9.3: 1.1 keeps the connection unless told otherwise, 1.0 only where it says so."""
        assert self._parser is not None  # noqa: S101 - it is what calls
        if self._close:
            return False
        return self._keep or self._parser.get_http_version() != "1.0"
