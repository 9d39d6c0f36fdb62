"""Options that say on what other machines something runs, and what servers listen on for them."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address
from typing import Annotated, Any

import typer

from harness.errors import UsageError
from harness.record.conditions import GENERATORS
from harness.spec.machines import FORMS, Machine, machine_of
from harness.suite.plan import LOOPBACK, Plan

On = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="generator=ssh://USER@HOST",
        help="Drive the load from that machine, over your own ssh; repeatable.",
    ),
]
Bind = Annotated[
    str | None,
    typer.Option(
        "--bind", metavar="ADDRESS", help="IPv4 address of this machine that servers listen on; default: 127.0.0.1."
    ),
]
ROLE = "generator"


def machines(on: Iterable[str]) -> tuple[Machine, ...]:
    """The machines of `--on generator=ssh://...`; raises `UsageError`."""
    found = []
    for number, text in enumerate(on, 1):
        role, equals, url = text.partition("=")
        if role == "server":
            raise UsageError("--on server=...: servers run on this machine; what runs elsewhere is a target with a url")
        if role != ROLE or not equals:
            raise UsageError(f"--on (the {number}.): write {ROLE}=ssh://...: {FORMS}")
        try:
            found.append(machine_of(url))
        except ValueError as error:
            raise UsageError(f"--on {ROLE}=... (the {number}.): {error}") from None
    return tuple(found)


def bound(address: str | None) -> str:
    """The address of `--bind`; raises `UsageError` where no server of this machine can listen on it."""
    if address is None:
        return LOOPBACK
    try:
        parsed = IPv4Address(address)
    except AddressValueError:
        raise UsageError(f"--bind {address[:200]!r}: write an IPv4 address, such as 10.0.0.1") from None
    if parsed.is_unspecified:
        raise UsageError(f"--bind {address}: the load goes there too, so name one address of this machine")
    try:
        with socket.socket() as probe:
            probe.bind((address, 0))
    except OSError as error:
        raise UsageError(f"--bind {address}: no address of this machine: {error.strerror}") from error
    return address


def asked_elsewhere(plan: Plan) -> dict[str, Any]:
    """What `environment` says of the machines of the generators, which must fit; empty without any.

    Raises `UsageError` as `harness.trial.machines.greeted` does.
    """
    if not plan.machines:
        return {}
    from harness.trial.machines import greeted

    return {GENERATORS: greeted(plan)}
