"""Ask the machines of the generators, before anything is spent, whether they can do what is asked of them."""

from __future__ import annotations

import math
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import ServiceError, UsageError
from harness.machine import environment
from harness.machine.guard import scratch
from harness.machine.logs import one_line
from harness.machine.look import Finding
from harness.machine.placement import Placement
from harness.machine.ports import PORTS
from harness.machine.process import clean_environment
from harness.spec.agents import CODE, Hello, Reach, Reached, differing, line, said
from harness.spec.hosts import without_tls
from harness.spec.machines import Machine
from harness.strict import adapter
from harness.subject.receipts import Receipts
from harness.subject.services import free_port
from harness.suite import BENCHMARKS, Plan
from harness.suite.address import address_of
from harness.trial.link import Link, linked

CONNECTS, REACH_S = 5, 5.0
"""How often an address is tried, and how long each time."""
CONSIDER_S = 120.0
"""How long it may take to ask each interpreter for its packages."""
GREET_S = 40.0
"""How long a machine may take to greet: the connection, and an interpreter that starts there."""
NO_COMMAND, NO_SSH = 127, "no ssh on PATH: install it (Debian: apt install openssh-client)"
NAMESPACE = "Bad owner or permissions on /etc/ssh"
"""What ssh says of files of root where root is not mapped (`harness.machine.namespace`)."""
Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """What servers have on their machine."""

    boot: str
    """Its start, as `harness.machine.identity.boot`."""
    placement: Placement
    receipts: Receipts
    logs: str
    """The folder of logs there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted:
    """The machines of a plan, as they stand in the record: CPUs, memory, kernel, and the round trip of the load."""

    generators: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name."""
    server: dict[str, Any] = field(default_factory=dict)
    """That of the servers, with its name; empty where it is this one."""
    findings: tuple[Finding, ...] = ()
    """What disturbs that of the servers, by its name."""
    considered: Considered | None = None
    """What servers have there; None: they run here."""


def greeted(plan: Plan) -> Greeted:
    """The machines of `plan`; nothing is left running there.

    Raises `UsageError` where one cannot be reached, has other versions, or cannot reach what it is to load.
    """
    if plan.server is None:
        return Greeted(generators=_generators(plan))
    with (
        tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as folder,
        talk(plan.server, Path(folder) / "ssh.log") as link,
    ):
        try:
            there = considered(link, plan)
            found = link.call("noise", placement=there.placement.as_dict())
            port = link.call("listen", host=plan.bind)
        except ServiceError as error:
            raise UsageError(f"{plan.server.name}: {error}") from error
        took = reached(plan.bind, port)
        if took.error is not None:
            raise UsageError(_unreached("this machine", took))
        generators = _generators(plan, (plan.bind, port))
        facts = link.hello(GREET_S).machine | {"round_trip_us": took.round_trip_us}
    named = {"name": plan.server.name} | facts
    findings = tuple(adapter(Finding).validate_python(each) for each in found)
    told = tuple(replace(each, what=f"{plan.server.name}: {each.what}") for each in findings)
    return Greeted(generators=generators, server=named, considered=there, findings=told)


def _generators(plan: Plan, server: Address | None = None) -> dict[str, dict[str, Any]]:
    if not plan.machines:
        return {}
    arms = [arm for group in plan.groups for arm in group.arms]
    there = {address_of(arm.target.url) for arm in arms if arm.target.url}
    listens_here = server is None and any(not arm.target.url for arm in arms)
    with _listening(plan.bind if listens_here else None) as ours:
        targets = [(address.host, address.port) for address in there] + ours + ([server] if server else [])
        with ThreadPoolExecutor(len(plan.machines)) as pool:
            found = list(pool.map(lambda machine: greet(machine, targets), plan.machines))
    return {machine.name: facts for machine, facts in zip(plan.machines, found, strict=True)}


@contextmanager
def talk(machine: Machine, log: Path) -> Iterator[Link]:
    """A talk with the agent of the servers' machine, which has greeted; what ssh says goes to `log`.

    Raises `UsageError` where none greets, or its versions are others.
    """
    if shutil.which("ssh") is None:
        raise UsageError(NO_SSH)
    with linked(machine, log) as link:
        try:
            hello = link.hello(GREET_S)
        except ServiceError as error:
            code, text = link.ended()
            raise UsageError(_silent(machine, code, text) if code else str(error)) from error
        if other := differing(hello.versions, servers=True):
            raise UsageError(_different(machine, other))
        yield link


def considered(link: Link, plan: Plan) -> Considered:
    """What the servers of `plan` have on their machine; raises `ServiceError`."""
    told = adapter(Plan).dump_json(plan).decode()
    found = link.call("consider", CONSIDER_S, plan=told, root=str(BENCHMARKS.parent), python=sys.executable)
    placement = {role: tuple(cpus) for role, cpus in found["placement"].items()}
    return Considered(
        boot=found["boot"],
        placement=Placement(**placement),
        receipts=Receipts(versions=found["versions"], missing=found["missing"]),
        logs=found["logs"],
    )


def greet(machine: Machine, targets: Sequence[Address]) -> dict[str, Any]:
    """What there is to know of a machine that may drive a load at `targets`; raises `UsageError` as `greeted` does."""
    orders = b"".join(line(Reach(host=host, port=port)) for host, port in targets)
    try:
        # In a session of its own: the terminal's Ctrl-C is for us, and ssh would ask on the terminal.
        done = subprocess.run(
            machine.agent(),
            input=orders,
            capture_output=True,
            env=clean_environment({}),
            timeout=GREET_S,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise UsageError(NO_SSH) from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{machine.name}: no gatebench greets from there within {GREET_S:.0f} s") from None
    answers = [said(text) for text in done.stdout.splitlines()]
    hello = next((each for each in answers if isinstance(each, Hello)), None)
    if hello is None:
        raise UsageError(_silent(machine, done.returncode, done.stderr.decode("utf-8", "replace")))
    if other := differing(hello.versions):
        raise UsageError(_different(machine, other))
    for each in answers:
        if isinstance(each, Reached) and each.error is not None:
            raise UsageError(_unreached(machine.name, each))
    took_us = [each.round_trip_us for each in answers if isinstance(each, Reached) and each.round_trip_us is not None]
    return hello.machine | ({"round_trip_us": max(took_us)} if took_us else {})


def reached(host: str, port: int) -> Reached:
    """Whether one can connect from here to that address, and how long that takes at the least."""
    least_us = math.inf
    for _ in range(CONNECTS):
        began = time.perf_counter_ns()
        try:
            socket.create_connection((without_tls(host), port), REACH_S).close()
        except OSError as error:
            return Reached(host=host, port=port, error=error.strerror or str(error))
        least_us = min(least_us, (time.perf_counter_ns() - began) * 1e-3)
    return Reached(host=host, port=port, round_trip_us=round(least_us, 1))


def _unreached(name: str, tried: Reached) -> str:
    return (
        f"{name} cannot reach {tried.host}, port {tried.port}, on which there is a listener: {tried.error}"
        f": is it the right --bind, and does a firewall let ports {PORTS[0]} to {PORTS[-1]} through?"
    )


@contextmanager
def _listening(host: str | None) -> Iterator[list[Address]]:
    """A listener on `host`, on such a port as servers get, for the machines to try; none without a host.

    Raises `UsageError` where nothing can listen there.
    """
    if host is None:
        yield []
        return
    try:
        listener = socket.create_server((host, free_port(host)))
    except (OSError, ServiceError) as error:
        raise UsageError(f"servers cannot listen on {host}, which --bind has said: {error}") from error
    with listener:
        yield [listener.getsockname()]


def _silent(machine: Machine, code: int, errors: str) -> str:
    """Why a machine did not greet, and what helps."""
    lines = [each for each in map(str.strip, errors.splitlines()) if each]
    why = one_line(lines[-1]).removeprefix(f"{machine.name}: ") if lines else f"ssh ended with exit code {code}"
    if NAMESPACE in errors:
        return f"{machine.name}: {why}: set GATEBENCH_NAMESPACE=0, for in a user namespace ssh does not know root"
    if "No such command" in errors:
        return f"{machine.name} has an older gatebench: install the same with {install(machine)}"
    if "No module named" in errors:
        return f"{machine.name}: {machine.python} has no gatebench: install it with {install(machine)}"
    if code == NO_COMMAND:
        what = machine.python or "gatebench on PATH"
        return f"{machine.name} has no {what}: install it with {install(machine)}"
    by_hand = shlex.join([*machine.ssh, "true"])
    return f"{machine.name}: {why}: `{by_hand}` must work without a question"


def _different(machine: Machine, other: dict[str, tuple[str, str]]) -> str:
    listed = ", ".join(f"{name} {there} there and {here} here" for name, (there, here) in other.items())
    if "python" in other:
        return f"{machine.name}: {listed}: name an interpreter of Python {other['python'][1]} in its address"
    packages = [f"{name}=={here}" for name, (_, here) in other.items()]
    if machine.python and not {"gatebench", *CODE} & other.keys():
        line_ = f"`{shlex.join(machine.ssh)} {shlex.join([machine.python, '-m', 'pip', 'install', *packages])}`"
    else:
        line_ = install(machine)
    return f"{machine.name}: {listed}: install the same with {line_}"


def install(machine: Machine) -> str:
    """The line that installs this gatebench there."""
    ssh, root = shlex.join(machine.ssh), BENCHMARKS.parent
    if not (root / "requirements.txt").is_file():
        return f"`{ssh} pipx install --force gatebench=={environment.version()}`"
    there = "'mkdir -p gatebench && tar -C gatebench -xz && make -C gatebench setup'"
    left_out = "--exclude=./.venv --exclude=./.git --exclude=./results"
    port = f":{machine.port}" if machine.port else ""
    return (
        f"`tar -C {shlex.quote(str(root))} {left_out} -cz . | {ssh} {there}`, then it is "
        f"ssh://{machine.name}{port}/~/gatebench/.venv/bin/python"
    )
