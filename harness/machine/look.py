"""What disturbs a measurement here, and what that will cost: the look at the machine before anything is spent.

Each finding has a function of its own, which takes values and gives one `Finding`; `watch` is what looks. `doctor`
judges the same list and more.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import units
from harness.machine import cgroups, usage
from harness.machine.demand import Demand
from harness.machine.identity import Entry, descendants, table
from harness.machine.namespace import outside
from harness.machine.placement import Placement
from harness.machine.process import DESCRIPTORS, descriptor_limit
from harness.machine.topology import threads_beside
from harness.suite import Thresholds

Grade = Literal["ok", "warning", "unfit"]
SECONDS = 2.0
"""How long the look takes: half of it asleep, half at work."""
NAMED = 0.05
"""A process that uses this share of a CPU is named."""
BUSY = 0.5
"""A process that uses this share of a CPU disturbs, however many CPUs there are: it may run on those of a server."""
VERY_BUSY = 0.5
"""Above this share of all CPUs that others use, nothing valid is to be expected."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, the evidence, and where it is not well what it costs and what to do about it."""

    what: str
    grade: Grade
    seen: str
    """What it is now, with its unit."""
    effect: str = ""
    """What it does to figures; empty where all is well."""
    remedy: str = ""
    """What to do; empty where all is well."""

    @property
    def sentence(self) -> str:
        """On one line."""
        more = f": {self.effect}" if self.effect else ""
        return f"{self.what}: {self.seen}{more}{f' → {self.remedy}' if self.remedy else ''}"


@dataclass(frozen=True, slots=True)
class Busy:
    """A process that is none of ours, and the share of a CPU that it used."""

    name: str
    pid: int
    share: float


@dataclass(frozen=True, slots=True)
class Noise:
    """What the machine did while we watched."""

    outside: float
    """Share of all CPUs that others used."""
    steal: float
    """Share of all CPU time that the hypervisor gave to other machines, asleep or at work, whichever is more."""
    busy: tuple[Busy, ...] = ()
    """Who they are, the busiest first."""
    spread: float | None = None
    """Relative standard deviation of the times that equal pieces of work took; None where there were too few."""


def look(demand: Demand, placement: Placement, thresholds: Thresholds, noise: Noise) -> Iterator[Finding]:
    """All that may disturb a measurement, well or not."""
    yield cpus(placement, cgroups.quota())
    yield quota(placement, cgroups.quota())
    yield siblings(placement)
    yield descriptors(demand)
    yield memory(demand, available_bytes(), cgroups.memory())
    yield load_of_others(noise, thresholds)
    yield steal(noise, thresholds)


def watch(seconds: float | None = None) -> Noise:
    """Watch the machine for so long (`SECONDS`); a hypervisor may take time only from a machine that works."""
    half = (SECONDS if seconds is None else seconds) / 2
    proc = outside().proc
    before, used, began = usage.machine(), usage.usage(table(proc), proc), time.monotonic()
    time.sleep(half)
    asleep, processes = usage.machine(), table(proc)
    shares = usage.usage(processes, proc).since(used)
    lasted, ours = time.monotonic() - began, _ours(processes)
    pieces = list(_pieces(half))
    return Noise(
        outside=asleep.outside_since(before, sum(shares.get(pid, 0.0) for pid in ours)),
        steal=max(asleep.steal_since(before), usage.machine().steal_since(asleep)),
        busy=tuple(_busy({pid: cpu_s / lasted for pid, cpu_s in shares.items() if pid not in ours})),
        spread=statistics.stdev(pieces) / statistics.fmean(pieces) if len(pieces) > 1 else None,
    )


def cpus(placement: Placement, allowed: float | None) -> Finding:
    """Server and generator have a CPU each."""
    usable = sorted({*placement.server, *placement.generator, *placement.services})
    seen = f"{len(usable)} in use" + ("" if allowed is None else f", cgroup quota {allowed:g}")
    if placement.shared:
        return Finding(
            "CPUs",
            "unfit",
            seen,
            "servers and load generator would measure one another: no figure can be trusted",
            "give it two CPUs or more (taskset, docker --cpus)",
        )
    return Finding(
        "CPUs", "ok", f"{seen}: servers on {_listed(placement.server)}, generator on {_listed(placement.generator)}"
    )


def quota(placement: Placement, allowed: float | None) -> Finding:
    """The cgroup gives as much CPU time as the CPUs that are used have."""
    used = len({*placement.server, *placement.generator, *placement.services})
    if allowed is None:
        return Finding("CPU quota", "ok", "none")
    seen = f"{allowed:g} CPUs"
    if allowed >= used:
        return Finding("CPU quota", "ok", seen)
    return Finding(
        "CPU quota",
        "unfit",
        f"{seen} of time on {units.plural(used, 'CPU')}",
        "the kernel stops servers and generator for parts of every 100 ms: stalls that are no server's",
        "raise the quota (cpu.max, docker --cpus) to two CPUs or more",
    )


def siblings(placement: Placement, root: Path = Path("/")) -> Finding:
    """No core is shared by a CPU of the servers and one of the generator or the services."""
    others = {*placement.generator, *placement.services} - {*placement.server}
    shared = [(cpu, other) for cpu in placement.server for other in sorted(others & threads_beside(cpu, root))]
    if not shared:
        return Finding("cores", "ok", "no core is shared by servers and generator")
    pairs = ", ".join(f"{cpu} and {other}" for cpu, other in shared)
    return Finding(
        "cores",
        "warning",
        f"threads of one core are CPU {pairs}",
        "the generator slows the servers that it measures: throughput is too low, by up to a third",
        "switch hyper-threading off (/sys/devices/system/cpu/smt/control), or use CPUs of two cores (taskset)",
    )


def descriptors(demand: Demand, limits: tuple[int, int] | None = None) -> Finding:
    """As many as are needed, by the `limits` that we have, soft and hard.

    The soft one is raised in what we start: for servers as `descriptor_limit` says, by the generator to the hard one.
    """
    soft, hard = limits or resource.getrlimit(resource.RLIMIT_NOFILE)
    server = descriptor_limit(soft, hard)
    seen = (
        f"{server:,} open files a server, {demand.server_files:,} needed; "
        f"{hard:,} for the load generator, {demand.generator_files:,} needed"
    )
    if server >= demand.server_files and hard >= demand.generator_files:
        return Finding("file descriptors", "ok", seen)
    needed = max(demand.server_files, demand.generator_files, DESCRIPTORS)
    remedy = f"raise the hard limit, as root: ulimit -Hn {needed}; or lower `connections`"
    if hard >= demand.generator_files and hard >= demand.server_files:
        more = f"allow servers more, which get {DESCRIPTORS:,}: ulimit -n {demand.server_files}"
        remedy = f"lower `connections`, or {more}"
    return Finding(
        "file descriptors",
        "unfit",
        seen,
        "connections beyond them fail: error rows, or trials that are invalid",
        remedy,
    )


def memory(demand: Demand, available: int | None, within: cgroups.Memory | None = None) -> Finding:
    """What is free holds the servers of a group: of the machine, and of the limit of a cgroup that we are `within`."""
    if available is None and within is None:
        return Finding("memory", "ok", "unknown")
    of = ""
    if within is not None and (available is None or within.left < available):
        available, of = within.left, f" of the cgroup's limit of {units.bytes_(within.limit)}"
    assert available is not None  # noqa: S101 - one of the two is known
    seen = f"{units.bytes_(available)} available{of}, about {units.bytes_(demand.memory_bytes)} needed"
    if available >= demand.memory_bytes:
        return Finding("memory", "ok", seen)
    return Finding(
        "memory",
        "warning",
        seen,
        "the kernel may end a server or swap it out: error rows, late answers",
        "raise that limit (memory.max, docker --memory), or plan fewer workers"
        if of
        else "end what takes memory, or plan fewer workers",
    )


def load_of_others(noise: Noise, thresholds: Thresholds) -> Finding:
    """Others leave the CPUs to what is measured."""
    named = [f"{each.name} (pid {each.pid}) {units.percent(each.share)} of a CPU" for each in noise.busy[:5]]
    seen = ", ".join([*named, f"{units.percent(noise.outside)} of all CPUs"])
    if noise.outside <= thresholds.outside_load and not any(each.share >= BUSY for each in noise.busy):
        return Finding("load of others", "ok", seen)
    return Finding(
        "load of others",
        "warning" if noise.outside < VERY_BUSY else "unfit",
        seen,
        f"trials may be invalid: others may use at most {units.percent(thresholds.outside_load)} of the CPUs",
        "end what else runs here" if named else "end what else runs here, or outside of this container (top shows it)",
    )


def steal(noise: Noise, thresholds: Thresholds) -> Finding:
    """The hypervisor leaves the machine its CPUs."""
    if noise.steal <= thresholds.steal:
        return Finding("steal", "ok", units.percent(noise.steal))
    return Finding(
        "steal",
        "warning",
        f"the hypervisor gives {units.percent(noise.steal)} of the CPU time to other machines",
        f"trials may be invalid: at most {units.percent(thresholds.steal)} steal allowed",
        "another host, another hour, or more blocks",
    )


def available_bytes(root: Path = Path("/")) -> int | None:
    """Memory that new processes can have without swapping; None where the kernel does not say."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _ours(processes: Mapping[int, Entry]) -> set[int]:
    """Ourselves and what we have started."""
    root = {outside().harness}
    return {each.pid for each in root | descendants(root, processes)}


def _busy(shares: dict[int, float]) -> Iterator[Busy]:
    for pid, share in sorted(shares.items(), key=lambda item: -item[1]):
        if share >= NAMED:
            yield Busy(_name(pid), pid, share)


def _name(pid: int) -> str:
    """The command alone: its arguments may hold what must not be shown."""
    try:
        text = (outside().proc / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a process that has ended"
    return "".join(
        each if each.isprintable() else "?" for each in text
    )  # a process chooses its name: it may be anything


def _pieces(seconds: float) -> Iterator[float]:
    """How long equal pieces of pure computation take."""
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        sum(range(200_000))
        yield time.perf_counter() - began


def _listed(cpus: Iterable[int]) -> str:
    return ", ".join(map(str, cpus))
