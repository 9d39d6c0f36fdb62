"""What the harness observes of a slice while Locust drives it: CPU, steal, memory, who holds which connection.

Readings are taken when the generator says that a window opened or closed. Server and generator are tied to their CPUs;
the kernel gives the harness, which is not, the CPU with most time to spare: the generator's, unless the server is idle.
A reading takes about a millisecond at each edge, and at the opening the look-up of the sockets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from harness.machine import pods, usage
from harness.machine.pods import Spent
from harness.machine.process import Process
from harness.spec import Event, SliceShare
from harness.subject import connections
from harness.subject.launch import Launched
from harness.subject.services import Services
from harness.suite import Plan


@dataclass(frozen=True, slots=True)
class Observation:
    """What the harness observed of one slice, between the edges of its counted window where nothing else is said."""

    cpu_s: Mapping[int, float] = field(default_factory=dict)
    """Of the arm, by process."""
    services_cpu_s: Mapping[str, float] = field(default_factory=dict)
    generator_cpu_s: float = 0.0
    steal_fraction: float = 0.0
    outside_fraction: float | None = 0.0
    """None where the arm's processes are not known, and so not told from others."""
    machine_s: float = 0.0
    """The time of all CPUs together."""
    pressure_s: float | None = None
    context_switches: int = 0
    threads: int = 0
    processes: int = 0
    owners: Mapping[int, int] | None = None
    """Client port -> process that holds the connection; None where it was not read."""
    memory: usage.Memory | None = None
    """After the slice."""
    grown_bytes: int | None = None
    """Anonymous memory that its processes took more; None where one of them has ended."""
    pod: Spent | None = None
    """What its pod counted in the window; peak and kills since its launch. None outside of a pod."""

    def knowing(self, shares: Iterable[SliceShare], plan: Plan) -> Observation:
        """This, where agents started those generators, and their processes were seen as those of others.

        A generator whose clock is ours runs on this machine, as in a container of it: its CPU is the load's. Where
        servers run on another machine, that machine was observed, and none of this is known of it.
        """
        if not plan.machines or plan.server is not None:
            return self
        here_s = sum(share.cpu_s for share in shares if share.clock_offset_us == 0)
        if self.outside_fraction is None or not self.machine_s:
            return self
        return replace(self, outside_fraction=max(0.0, self.outside_fraction - here_s / self.machine_s))


@dataclass(frozen=True, slots=True)
class _Edge:
    arm: usage.Usage
    services: dict[str, usage.Usage]
    generator: usage.Usage
    harness: usage.Usage
    machine: usage.Machine
    pressure_s: float | None
    switches: Mapping[int, int]
    pod: Spent
    anonymous: dict[int, int]


class Readings(Protocol):
    """Takes the readings of a slice on the machine that its server runs on."""

    def begin(self, server: Launched, generator: Process) -> None:
        """A slice of `server` is about to be driven by `generator`."""

    def opened(self) -> None:
        """Its window has opened."""

    def closed(self) -> Observation | None:
        """Its window has closed; None where it never opened."""

    def drained(self) -> usage.Memory | None:
        """The slice is over: the memory of its server."""


class Watch:
    """Takes the readings on this machine. A process that drives load is of it, unless it says that there is none."""

    def __init__(
        self,
        services: Services,
        others: Mapping[str, Process] | None = None,
        changing: Callable[[], usage.Usage] | None = None,
    ) -> None:
        """Watch the services beside the server, and `others` that are ours too; `changing` as of `Observer`."""
        self._changing = changing
        self._others = others or {}
        self._services = services
        self._server: Launched | None = None
        self._pids: list[int] = []
        self._proc = usage.PROC
        self._pod = pods.NONE
        self._generator: list[int] = []
        self._beside: dict[str, list[int]] = {}
        self._opened: _Edge | None = None
        self._owners: Mapping[int, int] | None = None

    def begin(self, server: Launched, generator: Process | None) -> None:
        """See `Readings`."""
        self._server, self._opened = server, None
        self._pids, self._proc, self._pod = server.process.members(), server.proc, server.groups
        self._generator = generator.members() if generator is not None else []
        beside = {**self._services.processes, **self._others}
        self._beside = {name: process.members() for name, process in beside.items()}

    def opened(self) -> None:
        """See `Readings`."""
        # The CPU first: the window has opened, and what the server uses while its sockets are looked up belongs to
        # it. The look-up then falls into the window too, but its cost is the harness's: it counts neither as the
        # server's nor as that of processes which are none of ours.
        self._opened = self._edge()
        self._owners = self._connection_owners()

    def closed(self) -> Observation | None:
        """See `Readings`."""
        return None if self._opened is None else self._between(self._opened, self._edge())

    def drained(self) -> usage.Memory | None:
        """See `Readings`."""
        return usage.memory(self._pids, self._proc)

    def _edge(self) -> _Edge:
        return _Edge(
            self._changing() if self._changing is not None else usage.usage(self._pids, self._proc),
            {name: usage.usage(pids) for name, pids in self._beside.items()},
            usage.usage(self._generator),
            usage.usage([os.getpid()]),
            usage.machine(),
            usage.pressure_s(),
            usage.context_switches(self._pids, self._proc),
            self._pod.spent(),
            usage.anonymous_bytes(self._pids, self._proc),
        )

    def _between(self, opened: _Edge, closed: _Edge) -> Observation:
        assert self._server is not None  # noqa: S101 - a window opens in a slice
        arm = closed.arm.since(opened.arm)
        services = {name: closed.services[name].total_since(opened.services[name]) for name in closed.services}
        generator = closed.generator.total_since(opened.generator)
        harness = closed.harness.total_since(opened.harness)
        ours = sum(arm.values()) + sum(services.values()) + generator + harness
        stalled = None
        if opened.pressure_s is not None and closed.pressure_s is not None:
            stalled = closed.pressure_s - opened.pressure_s
        seen = self._server.arm.target.is_seen
        return Observation(
            cpu_s=arm,
            services_cpu_s=services,
            generator_cpu_s=generator,
            steal_fraction=closed.machine.steal_since(opened.machine),
            outside_fraction=closed.machine.outside_since(opened.machine, ours) if seen else None,
            machine_s=closed.machine.total_s_since(opened.machine),
            pressure_s=stalled,
            context_switches=usage.switches_since(opened.switches, closed.switches),
            threads=usage.threads(self._pids, self._proc),
            processes=len(arm),
            owners=self._owners,
            grown_bytes=_grown(opened.anonymous, closed.anonymous),
            pod=closed.pod.since(opened.pod) if self._pod.folders else None,
        )

    def _connection_owners(self) -> Mapping[int, int] | None:
        server = self._server
        assert server is not None  # noqa: S101 - a window opens in a slice
        if not server.arm.server.keep_alive or server.arm.cell.workers == 1 or server.arm.target.url:
            return None
        return connections.connection_owners([each.port for each in server.each], self._pids)


class Observer:
    """Listens to the events of one Locust run; `observations` maps (arm, round) to what was observed."""

    def __init__(
        self,
        servers: Mapping[str, Launched],
        services: Services,
        others: Mapping[str, Process] | None = None,
        changing: Callable[[], usage.Usage] | None = None,
        readings: Readings | None = None,
    ) -> None:
        """Watch `servers` (by arm), the services beside them, and `others` that are ours too.

        `changing` tells the CPU of a single server whose processes come and go; else it is that of the processes which
        a slice begins with. `readings` are of the machine that the servers run on; None: of this one.
        """
        self.observations: dict[tuple[str, int], Observation] = {}
        self._servers = servers
        self._readings = readings or Watch(services, others, changing)

    def __call__(self, event: Event, generator: Process) -> None:
        """Take the reading that `event` calls for."""
        if event.round < 0 or event.arm not in self._servers:
            return
        slice_ = event.arm, event.round
        if event.event == "started":
            self._readings.begin(self._servers[event.arm], generator)
        elif event.event == "opened":
            self._readings.opened()
        elif event.event == "closed":
            if (seen := self._readings.closed()) is not None:
                self.observations[slice_] = seen
        elif event.event == "drained" and slice_ in self.observations:
            self.observations[slice_] = replace(self.observations[slice_], memory=self._readings.drained())


def _grown(before: Mapping[int, int], after: Mapping[int, int]) -> int | None:
    return sum(after.values()) - sum(before.values()) if before.keys() == after.keys() else None
