"""The command line: one file a verb.

Exit codes: 0 every planned pair has a row; 1 a gate failed, or the machine is unfit; 2 bad usage or definitions;
3 nothing valid came out, a gate could not decide, or a port that was asked for is taken; 130 interrupted. 1 goes before
3.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import typer

from harness.cli import (
    agent,
    calibrate,
    compare,
    demo,
    doctor,
    export,
    init,
    list_,
    load,
    plan,
    report,
    run,
    serve,
    tune,
    verify,
)
from harness.cli.output import fail
from harness.errors import GatebenchError
from harness.machine import namespace
from harness.machine.guard import forget, sweep

INTERRUPTED = 130

app = typer.Typer(
    name="gatebench",
    help="Which gateway interface (WSGI or ASGI), which server, how many workers, and why: measured, with error bars.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
VERBS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "init": init.init,
    "list": list_.list_,
    "plan": plan.plan,
    "verify": verify.verify,
    "run": run.run,
    "report": report.report,
    "compare": compare.compare,
    "export": export.export,
    "tune": tune.tune,
    "load": load.load,
    "calibrate": calibrate.calibrate,
    "doctor": doctor.doctor,
    "serve": serve.serve,
}
LAUNCHING = frozenset({"init", "verify", "run", "tune", "load", "calibrate", "serve", "agent"})
"""Verbs that start processes: all that these start is in a PID namespace, where one can be made."""
for name, verb in VERBS.items():
    app.command(name)(verb)
app.command("agent", hidden=True)(agent.agent)  # nobody calls it by hand


def main() -> NoReturn:
    """Run the command line. An error that a user can cause is a message, never a traceback."""
    handle_signals()
    try:
        if LAUNCHING.intersection(sys.argv[1:2]) and "--help" not in sys.argv:
            sweep()
            namespace.enter(at_end=forget)
        app(standalone_mode=True)
    except GatebenchError as error:
        fail(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # `gatebench list | head`
        sys.stderr.close()
        sys.exit(0)
    sys.exit(0)


def handle_signals() -> None:
    """Let a request to end, and a logout, end the command as Ctrl-C does; what nohup has us ignore stays ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does, so that every `with` cleans up."""
    raise KeyboardInterrupt
