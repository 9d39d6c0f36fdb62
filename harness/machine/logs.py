"""What a log says last, as one plain line: for error messages that stand in a row of the records."""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path

from harness.masking import known, plain

TAIL_BYTES = 64 * 2**10
"""How much of a log's end is read: a log may have grown without bound."""
LONGEST = 300
KEPT_BYTES = 256 * 2**10
"""How much is kept of the beginning and of the end of what one process wrote."""
TRACEBACK = "Traceback (most recent call last):"


def tail(log: Path, start: int = 0) -> str:
    """The end of `log`, but nothing from before byte `start`; empty where it cannot be read."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(start, end - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def line_that_matters(text: str) -> str:
    """The exception of the last traceback in `text`, else its last line that is not empty; empty if there is none."""
    _, is_traceback, after = text.rpartition(TRACEBACK)
    if is_traceback:
        for line in after.splitlines():
            if line.strip() and not line[0].isspace():
                return one_line(line)
    return one_line(next((line for line in reversed(text.splitlines()) if line.strip()), ""))


def one_line(text: str, longest: int = LONGEST) -> str:
    """`text` on one line of at most `longest` characters, without secrets and what a terminal would obey."""
    words = " ".join(plain(text).split())
    return words if len(words) <= longest else words[: longest - 3] + "..."


def scrub(log: Path, start: int = 0) -> None:
    """Overwrite the secrets that we know in `log`, from byte `start` on, with as many asterisks.

    In place: who still writes to it goes on at its end. A log that cannot be written any more stays as it is.
    """
    secrets = [secret.encode() for secret in known()]
    with contextlib.suppress(OSError), log.open("r+b") as file:
        if not secrets or file.seek(0, 2) <= start:
            return
        with mmap.mmap(file.fileno(), 0) as content:
            for secret in secrets:
                place = content.find(secret, start)
                while place >= 0:
                    content[place : place + len(secret)] = b"*" * len(secret)
                    place = content.find(secret, place)


def bound(log: Path, start: int = 0) -> None:
    """Cut the middle out of what stands in `log` from byte `start` on, and say there how much, where it is too long.

    In place, as `scrub`, and in whole lines. What one process leaves is then little more than twice KEPT_BYTES.
    """
    with contextlib.suppress(OSError), log.open("r+b") as file:
        end = file.seek(0, 2)
        if end - start <= 2 * KEPT_BYTES:
            return
        file.seek(start)
        head = file.read(KEPT_BYTES)
        head = head[: head.rfind(b"\n") + 1] or head
        file.seek(end - KEPT_BYTES)
        last = file.read()
        last = last[last.find(b"\n") + 1 :] or last
        cut = end - start - len(head) - len(last)
        file.seek(start + len(head))
        file.write(f"[gatebench: {cut} bytes were cut out here]\n".encode() + last)
        file.truncate()
