"""`gatebench demo`: from nothing to an open page, in a minute."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import webbrowser
from typing import Annotated

import typer

from harness import record
from harness.cli.options import RESULTS
from harness.cli.output import remarks

SUITE = "demo"
FORWARDED = (signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
POLL_S = 0.1
OF_A_SIGNAL = 128
"""A shell's exit status of a command that a signal ended is this more than its number."""


def demo(
    *, open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True
) -> None:
    """Measure one pair of our own, Flask on gunicorn and FastAPI on uvicorn, and open the page: a minute in all.

    The run lies in results/ of this folder, as that of `gatebench run demo`.

    Examples: `gatebench demo`, `gatebench demo --no-open`.
    """
    # A browser that `run` starts would end with all else that it starts: so it is a process of its own, and we open
    # the page when it has ended. -P: a folder of the user's that is called like ours is not imported.
    before = {*record.folders(RESULTS)}
    code = _ended([sys.executable, "-P", "-m", "harness", "run", SUITE])
    for folder in (each for each in record.folders(RESULTS) if each not in before):
        page = (folder / "report.html").resolve()
        if open_ and code != INTERRUPTED and page.is_file() and not webbrowser.open(page.as_uri()):
            remarks().print(f"no browser is found here: open {page}", soft_wrap=True)
    if code:
        raise typer.Exit(code)


def _ended(command: list[str]) -> int:
    """The exit code of a command, which is told of what would end us; Ctrl-C reaches it from the terminal."""
    pending: list[int] = []
    # Handlers are ours alone, and set before: an ignored signal would be ignored by the command as well.
    signal.signal(signal.SIGINT, lambda *_: None)
    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: pending.append(number))
    process = subprocess.Popen(command)
    # Not one long wait: a signal that comes just before it would be heard when it is over.
    while (code := process.poll()) is None:
        while pending:
            process.send_signal(pending.pop())
        time.sleep(POLL_S)
    return code if code >= 0 else OF_A_SIGNAL - code
