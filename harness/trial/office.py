"""What an agent does on the servers' machine: it launches servers and their services, and reads what they use.

Each public method is a call (`harness.spec.agents.Call`), with its arguments by name.
"""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError, validate_call

from harness.errors import GatebenchError, MemoryLimitError, ServiceError
from harness.machine.demand import Demand
from harness.machine.identity import boot
from harness.machine.look import look, watch
from harness.machine.placement import Placement, usable_cpus
from harness.machine.process import Process
from harness.machine.topology import topology
from harness.spec.agents import Answer, Call, Failure
from harness.strict import adapter
from harness.subject.answers import wait_ready
from harness.subject.launch import Launched, launch, wait_settled
from harness.subject.prepare import prepared
from harness.subject.receipts import receipts
from harness.subject.services import Services, free_port, started
from harness.suite import BENCHMARKS, Arm, Ask, Plan, needs, needs_upstream, secrets
from harness.trial.observe import Watch

LOG_BYTES = 200_000
"""Of the end of a log that is sent."""
CALLS = frozenset(
    {"consider", "noise", "listen", "hush", "start", "finish"}
    | {"launch", "ready", "stop", "settle", "alive", "members", "died", "with_log", "ask_to_stop", "killed"}
    | {"heal", "problem", "dead", "hits", "begin", "opened", "closed", "drained"}
)


class Office:
    """Does one call after the other, for one harness."""

    def __init__(self, folder: Path) -> None:
        """Logs lie in `folder`."""
        self._logs = folder / "logs"
        self._ends = ExitStack()
        self._listener = ExitStack()
        self._plan: Plan | None = None
        self._arms: dict[str, Arm] = {}
        self._missing: dict[str, str] = {}
        self._services = Services()
        self._launched: dict[str, Launched] = {}
        self._stops: dict[str, ExitStack] = {}
        self._cpus: tuple[int, ...] = ()
        self._readings: Watch | None = None

    def do(self, call: Call) -> Answer:
        """What comes of a call, whatever that is."""
        try:
            if call.what not in CALLS:
                return _failed(call, ServiceError(f"{call.what}: an agent does no such thing"))
            value = validate_call(getattr(self, call.what))(**call.told)
        except GatebenchError as error:
            return _failed(call, error)
        except (OSError, ValidationError, LookupError) as error:
            return _failed(call, ServiceError(f"{call.what}: {type(error).__name__}: {error}"))
        return Answer(number=call.number, value=value)

    def kill(self) -> None:
        """End all that serves at once. May be called while a call is done."""
        for server in list(self._launched.values()):
            if isinstance(server.process, Process):
                server.process.kill()
        for process in list(self._services.processes.values()):
            process.kill()

    def consider(self, plan: str, root: str, python: str) -> dict[str, Any]:
        """The CPUs and the versions that servers of `plan` have here.

        What lies under `root`, and the interpreter `python`, are those of the harness' machine: ours take their place.
        """
        self._plan = adapter(Plan).validate_json(plan)
        arms = [_here(arm, root, python) for group in self._plan.groups for arm in group.arms]
        for arm in arms:
            for each in (arm.target, arm.server, arm.scenario):
                secrets.learn(each)
        self._arms = {arm.id: arm for arm in arms}
        found = receipts(arms)
        self._missing = found.missing
        return {
            "boot": boot(),
            "placement": place_servers(usable_cpus()).as_dict(),
            "versions": found.versions,
            "missing": found.missing,
            "logs": str(self._logs),
        }

    def noise(self, placement: dict[str, tuple[int, ...]]) -> list[dict[str, str]]:
        """What disturbs this machine, as `harness.machine.look.Finding`."""
        plan = self._known
        demand = Demand.of(group.arms for group in plan.groups)
        found = look(demand, Placement(**placement), plan.thresholds, watch())
        return [asdict(each) for each in found if each.grade != "ok"]

    def listen(self, host: str) -> int:
        """Listen on such a port as servers get, for others to try whether they get there."""
        try:
            listener = socket.create_server((host, free_port(host)))
        except OSError as error:
            raise ServiceError(f"servers cannot listen on {host}: {error.strerror or error}") from error
        self._listener.enter_context(listener)
        return int(listener.getsockname()[1])

    def hush(self) -> None:
        """Listen no more."""
        self._listener.close()

    def start(self, placement: dict[str, tuple[int, ...]]) -> dict[str, Any]:
        """Set up the targets, and start the services that the considered plan needs."""
        plan, arms = self._known, list(self._arms.values())
        given = Placement(**placement)
        self._cpus = given.server
        self._logs.mkdir(exist_ok=True)
        self._services = self._ends.enter_context(
            started(
                upstream=plan.upstream if needs_upstream(arms) else None,
                redis="redis" in needs(arms, plan.factors),
                cpus=given.services,
                logs=self._logs,
                seed=plan.seed,
            )
        )
        return {
            "missing": self._ends.enter_context(prepared(self._able(), self._logs)),
            "redis_version": self._services.redis_version,
        }

    def finish(self) -> dict[str, str]:
        """Stop all, and tear down; the logs that are left, by name."""
        for name in list(self._stops):
            self._stop(name)
        try:
            self._ends.close()
        finally:
            self.hush()
        return {path.name: _tail(path) for path in self._logs.glob("*.log")}

    def launch(self, arm: str, key: str, host: str) -> tuple[str, int]:
        """Start an arm on `host`, an address of this machine; where it listens, as `harness.spec.hosts` writes it."""
        self._stop(arm)
        with ExitStack() as stack:
            self._launched[arm] = stack.enter_context(
                launch(
                    self._arms[arm],
                    self._known.factors,
                    self._services,
                    cpus=self._cpus,
                    log=self._logs / f"{arm}.log",
                    address=(host, free_port(host)),
                    key=key,
                )
            )
            self._stops[arm] = stack.pop_all()
        return self._launched[arm].host, self._launched[arm].port

    def ready(self, arm: str, ask: Ask, patience_s: float, *, good: bool) -> None:
        """Wait until it answers."""
        server = self._launched[arm]
        wait_ready(server.process, server.host, server.port, ask, patience_s, good=good)

    def stop(self, arm: str) -> str:
        """Stop it; what it has logged."""
        self._stop(arm)
        log = self._logs / f"{arm}.log"
        try:
            return _tail(log)
        finally:
            log.unlink(missing_ok=True)

    def settle(self, arms: list[str]) -> None:
        """Wait until they are quiet."""
        wait_settled([self._launched[arm] for arm in arms])

    def alive(self, arm: str) -> bool:
        """Whether its process runs."""
        return arm in self._launched and self._launched[arm].process.alive()

    def members(self, arm: str) -> list[int]:
        """Ids of its processes."""
        return self._launched[arm].process.members()

    def died(self, arm: str) -> None:
        """Raise how it ended."""
        raise self._launched[arm].process.died()

    def with_log(self, arm: str, what: str) -> str:
        """`what`, with its log."""
        return self._launched[arm].process.with_log(what)

    def ask_to_stop(self, arm: str) -> None:
        """Ask it to stop."""
        self._launched[arm].process.ask_to_stop()

    def killed(self, arm: str) -> None:
        """Raise what its pod's memory limit has done to it."""
        if error := self._launched[arm].killed():
            raise error

    def heal(self) -> bool:
        """Start afresh what has died."""
        return self._services.heal()

    def problem(self, service: str) -> str:
        """Why a service cannot be used now."""
        return self._services.problem(service)

    def dead(self) -> dict[str, str]:
        """Services that have died, and how."""
        return self._services.dead()

    def hits(self) -> dict[str, int]:
        """Calls of the upstream."""
        return self._services.hits()

    def begin(self, arm: str) -> None:
        """A slice is about to be driven."""
        self._readings = self._readings or Watch(self._services)
        self._readings.begin(self._launched[arm], None)

    def opened(self) -> None:
        """Its window has opened."""
        assert self._readings is not None  # noqa: S101 - it was begun
        self._readings.opened()

    def closed(self) -> Any:
        """Its window has closed: an `Observation`."""
        return self._readings.closed() if self._readings is not None else None

    def drained(self) -> Any:
        """It is over: a `usage.Memory`."""
        return self._readings.drained() if self._readings is not None else None

    def end(self) -> None:
        """Nobody is there any more: end all."""
        self.kill()
        self.finish()

    def _able(self) -> list[Arm]:
        return [arm for arm in self._arms.values() if arm.id not in self._missing]

    @property
    def _known(self) -> Plan:
        if self._plan is None:
            raise ServiceError("there is no plan yet")
        return self._plan

    def _stop(self, arm: str) -> None:
        if (stops := self._stops.pop(arm, None)) is not None:
            stops.close()
            del self._launched[arm]


def place_servers(cpus: tuple[int, ...]) -> Placement:
    """All cores for servers but the last, which the services have; nothing drives load here."""
    *first, last = topology(cpus).cores
    server = tuple(sorted(cpu for core in first for cpu in core)) or cpus
    return Placement(server=server, generator=(), services=last[-1:])


def _here(arm: Arm, root: str, python: str) -> Arm:
    """The arm, with our own interpreter and checkout in place of those of the harness' machine."""
    target = arm.target
    ours, folder = str(BENCHMARKS.parent), Path(target.folder)
    if folder.is_relative_to(root):
        target = replace(target, folder=str(Path(ours, folder.relative_to(root))))
    if target.python == python:
        target = replace(target, python=sys.executable)
    return replace(arm, target=target)


def _failed(call: Call, error: GatebenchError) -> Answer:
    kills = (error.oom_kills, error.peak_bytes) if isinstance(error, MemoryLimitError) else (None, None)
    failure = Failure(kind=type(error).__name__, text=str(error), oom_kills=kills[0], peak_bytes=kills[1])
    return Answer(number=call.number, failure=failure)


def _tail(log: Path) -> str:
    try:
        return log.read_bytes()[-LOG_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
