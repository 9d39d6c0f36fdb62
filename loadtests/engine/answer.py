"""One answer as httptools parses it, and what it must be to be good.

llhttp, the parser in httptools, leaves three things to its user. An answer to HEAD, a 204 and a 304 have no body,
whatever their headers say. Answers of 1xx come before the one that counts. A body without a length ends where the
connection ends.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_BODILESS = frozenset({204, 304})
_FINAL = 200
"""Lower statuses only announce an answer."""
_HEAD_END = b"\r\n\r\n"
_INFORMAL = re.compile(rb"HTTP/1\.\d 1\d\d")
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding):", re.IGNORECASE)


class ProtocolError(Exception):
    """The bytes are no answer, or more than the one that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a good answer is: its status, and the length in bytes and the digest of its body, each if it is given."""

    status: int = 200
    length: int | None = None
    sha256: str | None = None
    head: bool = False
    """The request is a HEAD, whose answer ends with its headers."""


class AnswerReader:
    """Takes the bytes of one answer until it is `complete`, and judges it; `restart` readies it for the next answer."""

    __slots__ = (
        "_bodiless", "_digest", "_expected", "_headers_done", "_parser", "complete", "keep_alive", "length", "status",
    )  # fmt: skip

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._parser: HttpResponseParser | None = None
        self.restart(digest=False)

    def expect(self, expected: Expected) -> None:
        """Judge the next answers by this."""
        self._expected = expected

    def restart(self, *, digest: bool) -> None:
        """Be ready for the next answer on the same connection; with `digest`, its body is checked by its digest."""
        self._digest = hashlib.sha256() if digest and self._expected.sha256 else None
        self.complete = self.keep_alive = False
        self.length = self.status = 0
        self._headers_done = self._bodiless = False

    def discard(self) -> None:
        """Forget the parser and what it has parsed in part.

        Parser and answer refer to one another, and the garbage collector that would free them is off during a run: so
        the reference is cut here.
        """
        self._parser = None

    def feed(self, data: bytes) -> None:
        """Parse `data`; raises `ProtocolError` when it is no answer, or when bytes follow the answer."""
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        try:
            self._parser.feed_data(data[:-1])
            if self.complete:  # the last byte is one too many: llhttp would pass over a line break in silence
                raise ProtocolError("bytes behind the answer")
            self._parser.feed_data(data[-1:])
        except (HttpParserError, HttpParserUpgrade) as error:
            raise ProtocolError(str(error)) from error
        if self._bodiless and self._headers_done and not self.complete:
            # llhttp now waits for the body that the headers promise, which never comes: the next answer needs a new one
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()
            self._parser = None

    def end(self, raw: bytes) -> bool:
        """The connection has ended after the bytes `raw`; True when that completes the answer."""
        self.complete = self._headers_done and not _framed(raw)
        return self.complete

    def error_kind(self) -> str | None:
        """None for a good answer, else the kind of its error: `status` or `body`."""
        expected = self._expected
        if self.status != expected.status:
            return "status"
        if expected.length is not None and self.length != expected.length:
            return "body"
        if self._digest is not None and self._digest.hexdigest() != expected.sha256:
            return "body"
        return None

    # httptools calls these by name

    def on_message_begin(self) -> None:
        """Nothing may follow the answer: one request is on the wire at a time."""
        if self.complete:
            raise ProtocolError("a second answer")

    def on_headers_complete(self) -> None:
        """Note the status."""
        assert self._parser is not None  # noqa: S101 - the parser is the caller
        self.status = self._parser.get_status_code()
        self._headers_done = self.status >= _FINAL
        self._bodiless = self._expected.head or self.status in _BODILESS

    def on_body(self, body: bytes) -> None:
        """Count a piece of the body, and add it to the digest."""
        if self._bodiless:
            raise ProtocolError("a body where there is none")
        self.length += len(body)
        if self._digest is not None:
            self._digest.update(body)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was an announcement of the answer."""
        if self._headers_done:
            assert self._parser is not None  # noqa: S101 - the parser is the caller
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()


def _framed(raw: bytes) -> bool:
    """Whether the head of the answer, which may follow heads of 1xx answers, says where its body ends."""
    head, _, rest = raw.partition(_HEAD_END)
    while _INFORMAL.match(head):
        head, _, rest = rest.partition(_HEAD_END)
    return _FRAMING.search(head) is not None
