"""What a log says last."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import masking
from harness.machine import logs
from harness.machine.logs import KEPT_BYTES, bound, line_that_matters, one_line, scrub, tail

PLAIN = """\
Traceback (most recent call last):
  File "/srv/app.py", line 3, in <module>
    import nothing_of_that_name
ModuleNotFoundError: No module named 'nothing_of_that_name'
"""
GUNICORN = f"""\
[2026-01-01 00:00:00 +0000] [7] [ERROR] Exception in worker process
{PLAIN}\
[2026-01-01 00:00:00 +0000] [7] [ERROR] Worker (pid:7) exited with code 3.
[2026-01-01 00:00:00 +0000] [6] [ERROR] Reason: Worker failed to boot.
"""
UVICORN = """\
ERROR:    Traceback (most recent call last):
  File "/srv/app.py", line 9, in lifespan
    raise ValueError("no database")
ValueError: no database

ERROR:    Application startup failed. Exiting.
"""
CHAINED = """\
Traceback (most recent call last):
  File "/srv/app.py", line 1, in <module>
KeyError: 'URL'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/app.py", line 5, in <module>
RuntimeError: URL is not set
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PLAIN, "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        (GUNICORN, "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        (UVICORN, "ValueError: no database"),
        (CHAINED, "RuntimeError: URL is not set"),
        ("starting\n\nERROR: [Errno 98] address already in use\n\n", "ERROR: [Errno 98] address already in use"),
        ("Traceback (most recent call last):\n  File ", "File"),
        ("\n \n", ""),
        ("", ""),
    ],
)
def test_of_a_traceback_its_exception_matters_and_else_the_last_line(text: str, line: str) -> None:
    """Whatever the server says after it."""
    assert line_that_matters(text) == line


def test_a_line_is_plain_and_short() -> None:
    """Neither line breaks nor what a terminal would obey, and never longer than a row can bear."""
    assert one_line("a\x1b[31m red\r\n\tline\x07") == "a [31m red line"
    assert one_line("x" * 301) == "x" * 297 + "..."
    assert one_line("x" * 300) == "x" * 300


def test_only_the_end_of_a_log_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log may have grown without bound."""
    log = tmp_path / "log"
    log.write_bytes(b"x" * 1000 + b"\nthe end \xff\n")
    monkeypatch.setattr(logs, "TAIL_BYTES", 11)
    assert tail(log) == "\nthe end \ufffd\n"


def test_what_an_earlier_process_wrote_is_not_read(tmp_path: Path) -> None:
    """Several launches append to one log."""
    log = tmp_path / "log"
    log.write_text("first\nsecond\n")
    assert tail(log, start=6) == "second\n"
    assert tail(log, start=99) == ""


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    """As when its folder was removed."""
    assert tail(tmp_path / "no such log") == ""


def test_secrets_are_overwritten_where_a_process_wrote_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place, and nowhere but in its own lines."""
    monkeypatch.setattr(masking, "_known", set())
    log = tmp_path / "log"
    log.write_text("token tok-1234 of others\nmine is tok-1234, tok-1234.\n")
    scrub(log)
    assert "tok-1234, tok-1234" in log.read_text(), "nothing is known yet"
    masking.learn("tok-1234", "token")
    scrub(log, start=25)
    assert log.read_text() == "token tok-1234 of others\nmine is ********, ********.\n"
    scrub(log, start=999)
    scrub(tmp_path / "no such log")
    (tmp_path / "empty").touch()
    scrub(tmp_path / "empty")


def test_a_log_that_grew_without_bound_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    """What stood there before stays, and who still writes to it goes on at its end."""
    log = tmp_path / "log"
    log.write_text("of the block before\n")
    start = log.stat().st_size
    with log.open("ab", buffering=0) as server:
        server.write(b"".join(b"line %06d\n" % number for number in range(100_000)))
        bound(log, start)
        server.write(b"one more\n")
    before, first, *_, last, more = lines = log.read_text().splitlines()
    assert (before, first, last, more) == ("of the block before", "line 000000", "line 099999", "one more")
    (cut,) = (place for place, line in enumerate(lines) if line.startswith("[gatebench: "))
    kept = [int(line.removeprefix("line ")) for line in (*lines[1:cut], *lines[cut + 1 : -1])]
    assert lines[cut] == f"[gatebench: {12 * (100_000 - len(kept))} bytes were cut out here]"
    assert kept == [*range(cut - 1), *range(100_000 - (len(kept) - cut + 1), 100_000)]
    assert log.stat().st_size < 2 * KEPT_BYTES + 200


def test_a_short_log_stays_as_it_is_and_one_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """Up to twice what is kept."""
    log = tmp_path / "log"
    log.write_bytes(b"x" * 2 * KEPT_BYTES)
    bound(log)
    bound(tmp_path / "gone")
    assert log.read_bytes() == b"x" * 2 * KEPT_BYTES
    assert not (tmp_path / "gone").exists()
