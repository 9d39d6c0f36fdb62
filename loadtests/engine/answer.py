"""One answer as httptools parses it, and what it must be.

llhttp leaves three things to its user: that an answer to HEAD, a 204 and a 304 have no body whatever their headers
say, that 1xx answers come before the one that counts, and where a body ends that only the end of the connection ends.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_BODILESS = frozenset({204, 304})
_FINAL = 200
_HEAD_END = b"\r\n\r\n"
_INFORMAL = re.compile(rb"HTTP/1\.\d 1\d\d")
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding):", re.IGNORECASE)


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
        "_bodiless", "_digest", "_expected", "_headers_done", "_parser", "complete", "keep_alive", "length", "status",
    )  # fmt: skip

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._parser: HttpResponseParser | None = None
        self.restart(digest=False)

    def restart(self, *, digest: bool) -> None:
        """Be ready for the next answer on the same connection; `digest`: take its body's sum."""
        self._digest = hashlib.sha256() if digest and self._expected.sha256 else None
        self.complete = self.keep_alive = False
        self.length = self.status = 0
        self._headers_done = self._bodiless = False

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
            self.keep_alive = self._parser.should_keep_alive()
            self._parser = None

    def end(self, raw: bytes) -> bool:
        """The connection has ended after `raw`; True if that completes the answer."""
        self.complete = self._headers_done and not _framed(raw)
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
            assert self._parser is not None  # noqa: S101 - it is what calls
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()


def _framed(raw: bytes) -> bool:
    """Whether the head of the answer, behind those of 1xx ones, says where its body ends."""
    head, _, rest = raw.partition(_HEAD_END)
    while _INFORMAL.match(head):
        head, _, rest = rest.partition(_HEAD_END)
    return _FRAMING.search(head) is not None
