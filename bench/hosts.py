"""Hosts on this machine: namespaces of network, processes, mounts and time, on one bridge, with a real sshd each.

Nothing of the machine is changed: what is mounted or made is in these namespaces, and goes with their first process,
which ends with ours. Needs root, and `ip`, `nsenter`, `unshare`, `sshd`, `ssh-keygen`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.machine.ports import PORTS
from harness.subject.connections import ESTABLISHED

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("ip", "nsenter", "unshare", "sshd", "ssh", "ssh-keygen")
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
SUBNET = "10.93.7"
READY_S = 10.0
SSHD = """
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
ClientAliveInterval 1
ClientAliveCountMax 2
SetEnv TMPDIR=/run
"""
SSH = """
Host *
    IdentityFile {folder}/user_key
    GlobalKnownHostsFile {folder}/known_hosts
    UserKnownHostsFile none
    StrictHostKeyChecking yes
"""


@cache
def missing() -> str | None:
    """Why there can be no hosts here; None where there can."""
    if os.geteuid() != 0:
        return "only root makes hosts"
    lacking = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if lacking:
        return f"no {', '.join(lacking)} (Debian: apt install openssh-server iproute2)"
    tried = _run(
        "unshare", "--net", "--mount", "--pid", "--time", "--fork", "ip", "link", "add", "br0", "type", "bridge"
    )
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else None


@dataclass(slots=True)
class Host:
    """A host that runs: its first process is seen here as `pid`."""

    name: str
    address: str
    pid: int
    known: set[int] = field(default_factory=set)
    """Processes that it has by itself."""

    @property
    def around(self) -> list[str]:
        """What runs a command on it."""
        return ["nsenter", "--target", str(self.pid), "--all"]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it to its end; raises `CalledProcessError` where that is none of success."""
        done = _run(*self.around, *argv)
        done.check_returncode()
        return done

    def start(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], **more: Any) -> subprocess.Popen[bytes]:
        """Start a command on it."""
        command = [*self.around, f"--wdns={cwd}", *argv]
        return subprocess.Popen(command, env={**os.environ, "PATH": PATH, "TMPDIR": "/run", **env}, **more)

    def clients(self) -> set[str]:
        """The addresses that the servers of a run on it have connections from."""
        rows = [row.split() for row in Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]]
        ends = [(row[1].partition(":"), row[2].partition(":")) for row in rows if row[3] == ESTABLISHED]
        return {_dotted(remote[0]) for local, remote in ends if int(local[2], 16) in PORTS}

    def link(self, state: str) -> None:
        """Cut its link, or mend it: `down` or `up`."""
        self.run("ip", "link", "set", "eth0", state)

    def processes(self) -> dict[int, str]:
        """The processes that it has beside its own, by their ids here, with their command lines; no dead ones."""
        mine = Path(f"/proc/{self.pid}/ns/pid").stat().st_ino
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) not in self.known:
                with contextlib.suppress(OSError):
                    words = (folder / "cmdline").read_text().replace("\0", " ").strip()
                    if words and _within(folder, mine):
                        found[int(folder.name)] = words
        return found


def _dotted(address: str) -> str:
    """An IPv4 address as /proc/net/tcp has it, as people write it."""
    return socket.inet_ntoa(struct.pack("=I", int(address, 16)))


def _within(folder: Path, namespace: int) -> bool:
    """Whether a process is in a PID namespace, or in one that was made in it, as a harness makes one."""
    inner = folder / "ns/pid"
    if inner.stat().st_ino == namespace:
        return True
    levels = [row for row in (folder / "status").read_text().splitlines() if row.startswith("NSpid:")]
    parent = next(row.split()[1] for row in (folder / "status").read_text().splitlines() if row.startswith("PPid:"))
    return len(levels[0].split()) > 3 and parent != "0" and _within(Path("/proc", parent), namespace)  # noqa: PLR2004


@contextlib.contextmanager
def hosts(folder: Path, names: Sequence[str], ahead_s: Mapping[str, int] | None = None) -> Iterator[dict[str, Host]]:
    """Hosts by name, which reach one another by ssh as root; `folder` holds keys, and `python` for `ssh://.../python`.

    The monotonic clock of a host is ahead of ours by `ahead_s`.
    """
    _keys(folder, len(names))
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    with contextlib.ExitStack() as stack:
        bridge = stack.enter_context(_namespaces(0))
        _in_network(bridge, "link", "add", "br0", "type", "bridge")
        _in_network(bridge, "link", "set", "br0", "up")
        made = {}
        for number, name in enumerate(names, 1):
            pid = stack.enter_context(_namespaces((ahead_s or {}).get(name, 0)))
            made[name] = Host(name, f"{SUBNET}.{number}", pid)
            _connect(bridge, made[name], number)
        for host in made.values():
            stack.enter_context(_serving(host, folder))
        yield made


def _keys(folder: Path, count: int) -> None:
    for key in ("host_key", "user_key"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)).check_returncode()
    public = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text("".join(f"{SUBNET}.{number} {public}" for number in range(1, count + 1)))
    (folder / "ssh_config").write_text(SSH.format(folder=folder))


@contextlib.contextmanager
def _namespaces(ahead_s: int) -> Iterator[int]:
    """New namespaces, until the end; gives the id of their first process, which lives as long as our end of a pipe."""
    new = ["--net", "--mount", "--pid", "--mount-proc", "--time", "--monotonic", str(ahead_s), "--fork"]
    argv = ["unshare", *new, "--kill-child=KILL", "cat"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()) as outside:
        try:
            assert outside.stdin is not None  # noqa: S101 - both were asked for
            assert outside.stdout is not None  # noqa: S101
            outside.stdin.write(b"\n")
            outside.stdin.flush()
            outside.stdout.read(1)  # it is there
            yield _children(outside.pid)[0]
        finally:
            outside.kill()


def _connect(bridge: int, host: Host, number: int) -> None:
    port = f"port{number}"
    ends = ["name", port, "netns", str(bridge), "type", "veth", "peer", "name", "eth0", "netns", str(host.pid)]
    _in_network(bridge, "link", "add", *ends)
    _in_network(bridge, "link", "set", port, "master", "br0", "up")
    _in_network(host.pid, "address", "add", f"{host.address}/24", "dev", "eth0")
    for name in ("lo", "eth0"):
        _in_network(host.pid, "link", "set", name, "up")


@contextlib.contextmanager
def _serving(host: Host, folder: Path) -> Iterator[None]:
    """Run sshd on a host, and have it know the others; it is there when the block begins."""
    for mounted in (
        ("mount", "-t", "tmpfs", "tmpfs", "/run"),
        ("mkdir", "/run/sshd"),
        ("mount", "--bind", str(folder / "ssh_config"), "/etc/ssh/ssh_config"),
    ):
        host.run(*mounted)
    config = folder / f"sshd_{host.name}"
    config.write_text(SSHD.format(folder=folder, address=host.address))
    argv = [*host.around, shutil.which("sshd", path=PATH) or "sshd", "-D", "-E", f"{config}.log", "-f", str(config)]
    with subprocess.Popen(argv, env=_environment(), stdin=subprocess.DEVNULL) as sshd:
        try:
            deadline = time.monotonic() + READY_S
            while ":22 " not in host.run("ss", "-Hltn").stdout:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no sshd on {host.name}: {Path(f'{config}.log').read_text()}")
                time.sleep(0.02)
            host.known.update(host.processes())
            yield
        finally:
            for child in _children(sshd.pid):  # nsenter ends with what it has run, and takes note of its end
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _in_network(pid: int, *argv: str) -> None:
    _run("nsenter", "--target", str(pid), "--net", "ip", *argv).check_returncode()


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=_environment(), capture_output=True, text=True, timeout=60, check=False)


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": PATH}
