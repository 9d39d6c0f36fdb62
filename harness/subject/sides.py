"""Which two sides the first suite of an app compares, by the servers that its interpreter has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import LaunchError, UsageError
from harness.machine import environment
from harness.suite import Definitions, Server, Side, Target
from harness.suite.own import DEFAULT_SERVERS, PREFERRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Two sides, and what they compare."""

    targets: tuple[Target, ...]
    """One or two."""
    sides: tuple[Side, Side]
    note: str
    remarks: tuple[str, ...] = ()
    """What a person could do to compare more, or otherwise."""


def sides(shipped: Definitions, targets: Sequence[Target], *, stated: bool = False) -> Sides:
    """Of two targets that can be served each on its first server, WSGI as a; else of one on two servers.

    Where both are `stated` they stay in that order. Raises `UsageError` where there is no server for a target that is
    stated, or for any.
    """
    servers = [installed_servers(shipped, target) for target in targets]
    able = [(target, its) for target, its in zip(targets, servers, strict=True) if its]
    lacking = [_lacking(shipped, target) for target, its in zip(targets, servers, strict=True) if not its]
    if not able or (stated and lacking):
        raise UsageError("; ".join(f"{app}: {problem}" for app, problem in lacking))
    if len(able) > 1:
        if not stated:
            able.sort(key=lambda each: each[0].interface, reverse=True)
        a, b = able
        return Sides(
            targets=tuple(targets),
            sides=(Side(target=a[0].name, server=a[1][0].name), Side(target=b[0].name, server=b[1][0].name)),
            note=f"{a[0].app} and {b[0].app}." if stated else "The app as WSGI, and as ASGI.",
        )
    return _on_two_servers(shipped, *able[0], tuple(f"{app} is left out, for {problem}" for app, problem in lacking))


def _on_two_servers(shipped: Definitions, target: Target, servers: Sequence[Server], remarks: tuple[str, ...]) -> Sides:
    """One target on its first two servers, or against itself on the only one."""
    names = [server.name for server in servers]
    first, second = names[0], names[:2][-1]
    note = f"The app on two servers that its interpreter has: {first} and {second}."
    if len(names) == 1:
        other = next(name for name in PREFERRED[target.interface] if name != first)
        note = f"The app against itself on {first}, the only server that its interpreter has."
        remarks = (*remarks, f"to compare it with {other}: {_install(target, shipped.servers[other])}")
    both = Side(target=target.name, server=first), Side(target=target.name, server=second)
    return Sides(targets=(target,), sides=both, note=note, remarks=remarks)


def _lacking(shipped: Definitions, target: Target) -> tuple[str, str]:
    """What cannot be served, and the line that makes it so."""
    install = _install(target, shipped.servers[DEFAULT_SERVERS[target.interface]])
    return target.app, f"{target.python} has no server for {target.interface}: {install}"


def _install(target: Target, server: Server) -> str:
    return f"{target.python} -m pip install {' '.join(server.packages)}"


def installed_servers(shipped: Definitions, target: Target) -> list[Server]:
    """The servers that can serve `target` and whose packages its interpreter has, the first choice first."""
    able = [server for name in PREFERRED[target.interface] if (server := shipped.servers[name]).serves(target)]
    packages = {package for server in able for package in server.packages}
    try:
        _, versions = environment.receipt(target.python, packages)
    except LaunchError as error:
        raise UsageError(str(error)) from error
    return [server for server in able if all(versions[package] is not None for package in server.packages)]
