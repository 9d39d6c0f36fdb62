"""Does what a `Deploy` states: replaces the workers of a server while it serves, and watches what that takes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import GatebenchError, LaunchError, LoadError, ServiceError
from harness.machine.identity import Identity, identity, kill
from harness.machine.process import STOP_S, Process
from harness.record import Deployed
from harness.subject.launch import wait_settled
from harness.suite import Arm, Deploy
from harness.trial.episodes.disturber import Done, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.subject.served import Served, Worker

NANO = 1e-9
WARM_UP = 10
"""Requests that each worker of a server has before it is to be recycled, one way or another."""


class Deployer:
    """Replaces the workers at the moment it is told, in a thread of its own, for a restart takes its time."""

    process = None

    def __init__(self, stage: Stage, disturbance: Deploy, process: Process, served: Served) -> None:
        self._stage, self._how, self._process, self._served = stage, disturbance.how, process, served
        self._thread = threading.Thread(target=self._run, name="deploy", daemon=True)
        self._span_ns = (0, 0)
        self._error: GatebenchError | None = None
        self._over = threading.Event()
        if disturbance.how == "recycle":
            self._limit(disturbance)
        self._before = served.workers()

    def begin(self, start_ns: int, end_ns: int) -> None:
        """See `Disturber`."""
        self._span_ns = (start_ns, end_ns)
        if self._how != "recycle":  # the server does that by itself
            self._thread.start()

    def done(self) -> Done:
        """See `Disturber`."""
        if not self._span_ns[0]:
            raise LoadError("nothing was deployed: the load ended before its window opened")
        self.end()
        if self._error is not None:
            raise self._error
        return Done(deployed=deployed(self._before, self._served, self._span_ns[0]))

    @property
    def busy(self) -> bool:
        """Whether it waits for its moment, or is at it."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Deploy no more; what is being started is there before this returns, so that it can be ended."""
        self._over.set()
        if self.busy:
            self._thread.join(STOP_S * 4)

    def _run(self) -> None:
        start_ns, _ = self._span_ns
        if self._over.wait(max(0.0, (start_ns - time.monotonic_ns()) * NANO)):
            return
        try:
            self._deploy()
        except GatebenchError as error:
            self._error = error

    def _deploy(self) -> None:
        if self._how == "kill":
            kill(self._victim())
            return
        self._renew()
        if self._how == "restart":
            self._process.restart()
            return
        reload = self._stage.server.arm.server.reload
        assert reload is not None  # noqa: S101 - `deploys` has checked it
        if not self._process.alive():  # its id may be a stranger's by now
            raise self._process.died()
        self._process.popen.send_signal(signal.Signals[f"SIG{reload.signal}"])

    def _renew(self) -> None:
        """From now on workers start with new code."""
        if self._how == "version":
            releases = self._stage.server.releases
            assert releases is not None  # noqa: S101 - such groups are launched with them
            try:
                releases.publish(self._served.generation + 1)
            except OSError as error:
                raise ServiceError(f"no room for a new version of {self._stage.server.arm.label}: {error}") from error
        self._served.renew()

    def _limit(self, disturbance: Deploy) -> None:
        """Start the server afresh with the number of requests that its workers have in the middle of the disturbance.

        How many each has had by then is told by the rate; a few requests before that warm it up.
        """
        server, workers = self._stage.server, self._stage.server.arm.cell.workers
        recycle = server.arm.server.recycle
        assert recycle is not None  # noqa: S101 - `deploys` has checked it
        rate_rps = self._stage.load.rate_rps or 0.0
        due = round(rate_rps * (disturbance.before_s + disturbance.during_s / 2) / workers)
        with self._stage.bench.stopwatch.on("launch"):
            self._process.restart(recycle.after(WARM_UP + due))
            server.wait_ready()
            wait_settled([server])
            for _ in range(WARM_UP * workers):
                server.verify()

    def _victim(self) -> Identity:
        """A worker that has answered and still runs, and is not what holds them all together where there is such."""
        living = set(self._process.members())
        workers = [each.pid for each in self._served.workers() if each.pid in living]
        others = [pid for pid in workers if pid != self._process.pid] or workers
        found = identity(others[0]) if others else None
        if found is None:
            raise LaunchError(self._process.with_log("has no worker that has answered"))
        return found


def deployed(before: Sequence[Worker], served: Served, start_ns: int) -> Deployed:
    """What the workers' own counts show of a deploy that began at `start_ns`; `before` are those of its beginning."""
    old, fresh = {(each.pid, each.generation) for each in before}, served.generation
    renewed = fresh > max((each.generation for each in before), default=fresh)
    workers = served.workers()
    new = [
        each
        for each in workers
        if (each.pid, each.generation) not in old and each.generation == fresh and each.first_ns
    ]
    new_ns = [each.first_ns for each in new]
    last_ns = [each.last_ns for each in workers if each.generation < fresh] if renewed else []
    return Deployed(
        renewed=renewed,
        workers=len(new),
        new_from_s=(min(new_ns) - start_ns) * NANO if new_ns else None,
        old_until_s=max(0.0, (max(last_ns) - start_ns) * NANO) if last_ns and new_ns else None,
    )


def refused(disturbance: Deploy, arm: Arm) -> str:
    """Why the server of `arm` cannot be deployed so; empty: it can."""
    server, workers = arm.server, arm.cell.workers
    if disturbance.signals and server.reload is None:
        return f"{server.name} has no reload of its own (servers.toml says none)"
    if disturbance.signals and server.reload is not None and workers < server.reload.workers:
        return f"{server.name} reloads with {server.reload.workers} workers or more: give it so many"
    if disturbance.how == "recycle" and server.recycle is None:
        return f"{server.name} replaces no worker for the number of its requests (servers.toml says none)"
    if disturbance.how == "recycle" and server.recycle is not None and workers < server.recycle.workers:
        return f"{server.name} replaces such workers where it has {server.recycle.workers} or more: give it so many"
    return ""


@contextmanager
def deploys(stage: Stage) -> Iterator[Deployer]:
    """Whoever replaces the workers; raises `LaunchError` where that server cannot be told to."""
    disturbance, server = stage.group.disturbance, stage.server
    assert isinstance(disturbance, Deploy)  # noqa: S101 - chosen by its kind
    if server.served is None or not isinstance(server.process, Process):
        raise LaunchError(f"{server.arm.label} runs already: what we did not start, we do not deploy")
    if why := refused(disturbance, server.arm):
        raise LaunchError(why)
    deployer = Deployer(stage, disturbance, server.process, server.served)
    try:
        yield deployer
    finally:
        deployer.end()
