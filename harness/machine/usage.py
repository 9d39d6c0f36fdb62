"""CPU, memory and context switches of processes, steal and load of the machine, from /proc."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
NANO = 1e-9
_CLOCK_OF_PROCESS = 2
"""Of the clock of all threads of a process; before it stand the inverted bits of its id (clock_getcpuclockid(3))."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds by process id, as they stood at one moment."""

    cpu_s: dict[int, float]

    def since(self, before: Usage) -> dict[int, float]:
        """CPU seconds that each process used since `before`, never negative; a process that has ended is left out."""
        return {pid: max(0.0, now - before.cpu_s.get(pid, 0.0)) for pid, now in self.cpu_s.items()}

    def total_since(self, before: Usage) -> float:
        """CPU seconds that all processes together used since `before`."""
        return sum(self.since(before).values())


@dataclass(frozen=True, slots=True)
class Machine:
    """Clock ticks of all CPUs together since the start: all of them, those that were used, those that were stolen."""

    total: float
    busy: float
    steal: float

    def total_s_since(self, before: Machine) -> float:
        """The time of all CPUs together since `before`, in seconds."""
        return (self.total - before.total) / os.sysconf("SC_CLK_TCK")

    def steal_since(self, before: Machine) -> float:
        """Share of all CPU time since `before` that the hypervisor gave to other machines."""
        return _share(self.steal - before.steal, self.total - before.total)

    def outside_since(self, before: Machine, ours_s: float) -> float:
        """Share of all CPU time since `before` that went to others than our processes, which used `ours_s` seconds."""
        ours = ours_s * os.sysconf("SC_CLK_TCK")
        return _share(self.busy - before.busy - ours, self.total - before.total)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of several processes together."""

    pss: int
    """A page that several share counts once among them."""
    shared: int
    """Of it the pages that are not one process's alone."""


def usage(pids: Iterable[int], proc: Path = PROC) -> Usage:
    """CPU seconds of `pids` so far, those of threads that have ended among them.

    A server may start a thread for each request: what lives at the edges of a window is then hardly what worked in it.
    """
    return Usage({pid: seconds for pid in pids if (seconds := _cpu_s(pid, proc)) is not None})


def machine(proc: Path = PROC) -> Machine:
    """The machine now, by the first line of /proc/stat: user nice system idle iowait irq softirq steal."""
    with (proc / "stat").open() as file:
        fields = [float(value) for value in file.readline().split()[1:9]]
    idle, steal = fields[3] + fields[4], fields[7]
    return Machine(sum(fields), sum(fields) - idle - steal, steal)


def memory(pids: Iterable[int], proc: Path = PROC) -> Memory | None:
    """The memory of `pids` together; None where it cannot be read."""
    rollups = []
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
            rollups.append({name: int(rest[0]) * 1024 for name, *rest in map(str.split, lines)})
    if not rollups:
        return None
    pss = sum(each["Pss:"] for each in rollups)
    return Memory(pss, shared=max(0, pss - sum(each["Private_Clean:"] + each["Private_Dirty:"] for each in rollups)))


def anonymous_bytes(pids: Iterable[int], proc: Path = PROC) -> dict[int, int]:
    """Resident memory of each process that is of no file, pages that it shares with its parent among it."""
    sizes = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            _, resident, of_files, *_ = map(int, (proc / str(pid) / "statm").read_text().split())
            sizes[pid] = (resident - of_files) * os.sysconf("SC_PAGE_SIZE")
    return sizes


def threads(pids: Iterable[int], proc: Path = PROC) -> int:
    """How many threads `pids` have together."""
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            count += len(list((proc / str(pid) / "task").iterdir()))
    return count


def context_switches(pids: Iterable[int], proc: Path = PROC) -> dict[int, int]:
    """Voluntary and forced context switches of each thread of `pids` that lives, so far, by its id."""
    counts = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in (proc / str(pid) / "task").iterdir():
                status = (task / "status").read_text()
                counts[int(task.name)] = sum(
                    int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line
                )
    return counts


def switches_since(before: Mapping[int, int], now: Mapping[int, int]) -> int:
    """Context switches since `before`; those of threads that have ended are in no account of the kernel."""
    return sum(count - before.get(thread, 0) for thread, count in now.items())


def pressure_s(proc: Path = PROC) -> float | None:
    """Seconds in which some task waited for a CPU, so far; None where the kernel does not say."""
    try:
        line = (proc / "pressure/cpu").read_text().splitlines()[0]
        return int(line.rpartition("total=")[2]) * 1e-6
    except (OSError, ValueError, IndexError):
        return None


def _cpu_s(pid: int, proc: Path) -> float | None:
    if proc == PROC:
        with contextlib.suppress(OSError):
            return time.clock_gettime(~pid << 3 | _CLOCK_OF_PROCESS)
    return _cpu_s_elsewhere(proc / str(pid))


def _cpu_s_elsewhere(process: Path) -> float | None:
    """Of a process that no clock shows, as one outside of our PID namespace.

    `schedstat` tells nanoseconds of the threads that live, `stat` whole ticks of all that there were, the more of the
    two being nearer.
    """
    living = 0
    try:
        for task in (process / "task").iterdir():
            with contextlib.suppress(OSError), (task / "schedstat").open() as file:
                living += int(file.read().split()[0])
        ticks = sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:13]))
    except OSError:
        return None
    return max(living * NANO, ticks / os.sysconf("SC_CLK_TCK"))


def _share(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
