"""Options that say on what other machines something runs, and what servers listen on for them."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.errors import UsageError
from harness.machine.placement import Placement
from harness.record.conditions import GENERATORS, SERVER
from harness.spec.machines import FORMS, Machine, machine_of
from harness.suite import Plan
from harness.suite.address import LOOPBACK
from harness.suite.machines import one_address

if TYPE_CHECKING:
    from harness.trial.machines import Considered, Greeted

On = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="ROLE=ssh://USER@HOST",
        help="Have generator= or server= on that machine, over your own ssh; repeatable.",
    ),
]
Bind = Annotated[
    str | None,
    typer.Option(
        "--bind", metavar="ADDRESS", help="IPv4 address of their machine that servers listen on; default: 127.0.0.1."
    ),
]
ROLES = ("generator", "server")


def machines(on: Iterable[str]) -> tuple[tuple[Machine, ...], Machine | None]:
    """Those of the generators and that of the servers, of `--on ROLE=ssh://...`; raises `UsageError`."""
    found: dict[str, list[Machine]] = {role: [] for role in ROLES}
    for number, text in enumerate(on, 1):
        role, equals, url = text.partition("=")
        if role not in ROLES or not equals:
            roles = " or ".join(f"{each}=ssh://..." for each in ROLES)
            raise UsageError(f"--on (the {number}.): write {roles}: {FORMS}")
        try:
            found[role].append(machine_of(url))
        except ValueError as error:
            raise UsageError(f"--on {role}=... (the {number}.): {error}") from None
    if len(found["server"]) > 1:
        raise UsageError("--on server=...: all servers run on one machine, so name one")
    return tuple(found["generator"]), next(iter(found["server"]), None)


def bound(address: str | None) -> str | None:
    """The address of `--bind`; raises `UsageError` where it is none that servers can listen on."""
    if address is not None:
        try:
            one_address(address)
        except ValueError as error:
            raise UsageError(f"--bind {address[:200]!r}: {error}") from None
    return address


def asked_elsewhere(plan: Plan) -> Greeted:
    """The machines of the plan, which must fit.

    Raises `UsageError` as `harness.trial.machines.greeted` does, or where servers of this machine cannot listen on
    their address.
    """
    if plan.server is None and plan.bind != LOOPBACK:
        try:
            with socket.socket() as probe:
                probe.bind((plan.bind, 0))
        except OSError as error:
            raise UsageError(f"--bind {plan.bind}: no address of this machine: {error.strerror}") from error
    from harness.trial.machines import Greeted, greeted

    return greeted(plan) if plan.machines or plan.server is not None else Greeted()


def facts(there: Greeted) -> dict[str, Any]:
    """What `environment` says of them; empty without any."""
    named = {GENERATORS: there.generators, SERVER: there.server}
    return {key: value for key, value in named.items() if value}


def placed_there(there: Considered, server_cpus: int | None) -> Placement:
    """The CPUs of servers and services on their machine; raises `UsageError` where there are fewer."""
    given = there.placement
    if server_cpus is None:
        return given
    if not 1 <= server_cpus <= len(given.server):
        raise UsageError(f"--server-cpus {server_cpus}: on their machine servers can have 1 to {len(given.server)}")
    return replace(given, server=given.server[:server_cpus])
