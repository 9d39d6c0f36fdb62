"""The faults of processes that `chaos` injects: a function each, which strikes and may return what undoes it.

To add one, write a function with `@fault("name")` above it. What befalls the machine stands in bench/hardships.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from bench.injection import Run
from harness.machine.environment import find_redis
from harness.machine.identity import PROC, Identity, lives

FROZEN_S = 3.0
BUSY_TICKS = 5
"""CPU time of a server, in ticks of the kernel, beyond which it is at work on a load."""
Undo = Callable[[], object] | None
Strike = Callable[[Run], Undo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, and how a run should end that has met it."""

    name: str
    strike: Strike
    services: bool = False
    """Whether the run needs the slow API and Redis."""
    crash_after: int = -1
    """Requests after which an app of the run crashes; -1: never."""
    own_disk: bool = False
    own_clock: bool = False
    """Whether the harness has a clock that can step."""
    anytime: bool = False
    """Whether it also strikes after the last measurement, while the report is drawn."""
    codes: Collection[int] = ()
    """Exit codes that FORMAT.md has for it; empty: 0 with a valid row, 3 without."""
    says: str = ""
    """What the run says of it on standard error."""
    swept_later: bool = False
    """Whether its files stay until the next start, and its processes too where no namespace was made."""
    patient: bool = False
    """Whether the harness has to lose its patience with something first, which takes most of a minute."""
    absent: Callable[[], str] = str
    """Why it cannot be injected here; empty where it can."""


FAULTS: dict[str, Fault] = {}


def fault(name: str, **columns: Any) -> Callable[[Strike], Strike]:
    """Put the function below into the table, with these columns of `Fault`."""

    def enter(strike: Strike) -> Strike:
        FAULTS[name] = Fault(name=name, strike=strike, **columns)
        return strike

    return enter


def send(processes: Iterable[Identity], number: signal.Signals) -> None:
    """Send a signal to those very processes."""
    for process in processes:
        if lives(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def no_redis() -> str:
    """Why there is no Redis."""
    return "" if find_redis() else "no redis-server"


@fault("none")
def none(_run: Run) -> Undo:
    """Nothing: how long a run takes, and that it passes."""
    return None


@fault("none, with services", services=True, absent=no_redis)
def none_with_services(_run: Run) -> Undo:
    """As above."""
    return None


@fault("harness killed", anytime=True, codes={-signal.SIGKILL}, swept_later=True)
def harness_killed(run: Run) -> Undo:
    """SIGKILL; in a namespace the kernel ends the helper with it."""
    send([run.harness], signal.SIGKILL)
    return None


@fault("helper killed")
def helper_killed(run: Run) -> Undo:
    """The reaper, which ends what a killed harness leaves."""
    send([run.reaper()], signal.SIGKILL)
    return None


@fault("harness and helper killed", anytime=True, codes={-signal.SIGKILL}, swept_later=True)
def both_killed(run: Run) -> Undo:
    """The helper first: it would be faster than we are."""
    send([run.reaper(), run.harness], signal.SIGKILL)
    return None


@fault("SIGINT", anytime=True, codes={130})
def interrupted(run: Run) -> Undo:
    """Ctrl-C."""
    send([run.harness], signal.SIGINT)
    return None


@fault("SIGTERM", anytime=True, codes={130})
def terminated(run: Run) -> Undo:
    """As a scheduler ends a job."""
    send([run.harness], signal.SIGTERM)
    return None


@fault("harness frozen", anytime=True)
def harness_frozen(run: Run) -> Undo:
    """For FROZEN_S, as when a laptop is shut."""
    send([run.harness], signal.SIGSTOP)
    time.sleep(FROZEN_S)
    send([run.harness], signal.SIGCONT)
    return None


@fault("server killed")
def server_killed(run: Run) -> Undo:
    """All its processes."""
    send(run.family("server"), signal.SIGKILL)
    return None


@fault("target crashes in mid-slice")
def crashes_in_mid_slice(run: Run) -> Undo:
    """A server that is at work on a load at that moment: all its processes."""
    family = run.wait_for(lambda: _at_work(run.family("server")))
    send(family, signal.SIGKILL)
    return None


@fault("a worker killed")
def worker_killed(run: Run) -> Undo:
    """One of several; its master lives."""
    _leader, *workers = run.wait_for(lambda: family if len(family := run.family("server")) > 1 else None)
    send(workers[-1:], signal.SIGKILL)
    return None


@fault("server frozen", patient=True)
def server_frozen(run: Run) -> Undo:
    """All its processes."""
    send(run.family("server"), signal.SIGSTOP)
    return None


@fault("generator killed")
def generator_killed(run: Run) -> Undo:
    """The load generator."""
    send(run.family("generator"), signal.SIGKILL)
    return None


@fault("generator frozen", patient=True)
def generator_frozen(run: Run) -> Undo:
    """It is silent until the harness has no more patience."""
    send(run.family("generator"), signal.SIGSTOP)
    return None


@fault("upstream killed", services=True, absent=no_redis)
def upstream_killed(run: Run) -> Undo:
    """The slow API."""
    send(run.family("upstream"), signal.SIGKILL)
    return None


@fault("upstream frozen", patient=True, services=True, absent=no_redis)
def upstream_frozen(run: Run) -> Undo:
    """It takes connections and does not answer."""
    send(run.family("upstream"), signal.SIGSTOP)
    return None


@fault("redis killed", services=True, absent=no_redis)
def redis_killed(run: Run) -> Undo:
    """Targets go on without their cache."""
    send(run.family("redis"), signal.SIGKILL)
    return None


@fault("redis frozen", patient=True, services=True, absent=no_redis)
def redis_frozen(run: Run) -> Undo:
    """It takes connections and does not answer."""
    send(run.family("redis"), signal.SIGSTOP)
    return None


@fault("target crashes at start", crash_after=0)
def crashes_at_start(_run: Run) -> Undo:
    """One arm never comes up."""
    return None


@fault("target crashes under load", crash_after=200)
def crashes_under_load(_run: Run) -> Undo:
    """Each of its workers, after some requests."""
    return None


def _at_work(family: list[Identity]) -> list[Identity] | None:
    """The family, if it has spent CPU time within a moment."""
    before = _ticks(family)
    time.sleep(0.1)
    return family if _ticks(family) - before >= BUSY_TICKS else None


def _ticks(family: Iterable[Identity]) -> int:
    spent = 0
    for process in family:
        with contextlib.suppress(OSError):
            fields = (PROC / str(process.pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
            spent += int(fields[11]) + int(fields[12])
    return spent
