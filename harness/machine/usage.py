"""CPU, memory and context switches of processes, steal and load of the machine, from /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
NANO = 1e-9


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
    """CPU seconds of `pids` so far: field 1 of schedstat (nanoseconds on a CPU), summed over their threads."""
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


def context_switches(pids: Iterable[int], proc: Path = PROC) -> int:
    """Voluntary and forced context switches of all threads of `pids` together, so far."""
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in (proc / str(pid) / "task").iterdir():
                status = (task / "status").read_text()
                count += sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
    return count


def pressure_s(proc: Path = PROC) -> float | None:
    """Seconds in which some task waited for a CPU, so far; None where the kernel does not say."""
    try:
        line = (proc / "pressure/cpu").read_text().splitlines()[0]
        return int(line.rpartition("total=")[2]) * 1e-6
    except (OSError, ValueError, IndexError):
        return None


def _cpu_s(pid: int, proc: Path) -> float | None:
    tasks = proc / str(pid) / "task"
    total = 0
    try:
        for task in tasks.iterdir():
            with contextlib.suppress(OSError), (task / "schedstat").open() as file:
                total += int(file.read().split()[0])
    except OSError:
        return None
    return total * NANO


def _share(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
