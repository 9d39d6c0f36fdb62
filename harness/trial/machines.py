"""Ask the machines of the generators, before anything is spent, whether they can do what is asked of them."""

from __future__ import annotations

import shlex
import socket
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from harness.errors import ServiceError, UsageError
from harness.machine import environment
from harness.machine.logs import one_line
from harness.machine.ports import PORTS
from harness.machine.process import clean_environment
from harness.spec.agents import Hello, Reach, Reached, differing, line, said
from harness.spec.machines import Machine
from harness.subject.services import free_port
from harness.suite import BENCHMARKS, Plan
from harness.suite.address import address_of

GREET_S = 40.0
"""How long a machine may take to greet: the connection, and an interpreter that starts there."""
NO_COMMAND, NO_SSH = 127, "no ssh on PATH: install it (Debian: apt install openssh-client)"
NAMESPACE = "Bad owner or permissions on /etc/ssh"
"""What ssh says of files of root where root is not mapped (`harness.machine.namespace`)."""
Address = tuple[str, int]


def greeted(plan: Plan) -> dict[str, dict[str, Any]]:
    """Each machine of `plan`, by name, as it stands in the record: its CPUs, memory and kernel.

    Raises `UsageError` where one cannot be reached, has other versions, or cannot reach what it is to load.
    """
    if not plan.machines:
        return {}
    arms = [arm for group in plan.groups for arm in group.arms]
    there = {address_of(arm.target.url) for arm in arms if arm.target.url}
    with _listening(plan.bind if any(not arm.target.url for arm in arms) else None) as ours:
        targets = [(address.host, address.port) for address in there] + ours
        with ThreadPoolExecutor(len(plan.machines)) as pool:
            found = list(pool.map(lambda machine: greet(machine, targets), plan.machines))
    return {machine.name: facts for machine, facts in zip(plan.machines, found, strict=True)}


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
            raise UsageError(
                f"{machine.name} cannot reach {each.host}, port {each.port}, on which there is a listener: {each.error}"
                f": is it the right --bind, and does a firewall let ports {PORTS[0]} to {PORTS[-1]} through?"
            )
    return hello.machine


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
    if machine.python and not {"gatebench", "code"} & other.keys():
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
