"""What a sitting is measured with, and what differs between two sittings of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness import units
from harness.machine import environment
from harness.record.code import digests
from harness.record.commits import commits
from harness.record.rows import RunInfo, SittingRow
from harness.record.times import utc_now

MACHINE = ("cpu", "cpus", "kernel", "machine")
"""Keys of the environment that make up the machine; memory and load differ from boot to boot and mean nothing here."""

SAME_MEMORY = 0.05
"""Two machines may differ by that share of their memory and still be called one: a boot more, a boot less."""

ROLES = {"server": "CPUs of the servers", "generator": "CPUs of the load generator"}
"""Roles of a placement whose number of CPUs makes it another machine to whoever runs there, and how that is called."""

DISTURBANCES = "disturbances"
"""Key of the environment under which stands what the look before a sitting found, in words."""

GENERATORS = "generator_machines"
"""Key of the environment under which stand the machines of the generators, by name, where these run elsewhere."""

SERVER = "server_machine"
"""Key of the environment under which stands the machine of the servers, where these run elsewhere."""

Changes = dict[str, tuple[str, str]]
"""Name of a condition -> (before, after)."""


def of_servers(info: RunInfo) -> Mapping[str, Any]:
    """What is known of the machine that the servers of a run were on."""
    there: Mapping[str, Any] = info.environment.get(SERVER) or info.environment
    return there


def sittings(info: RunInfo) -> tuple[SittingRow, ...]:
    """The sittings of a run; a record that has none is of a run with a single sitting."""
    # A record that does not say how many blocks a sitting had is of before runs could be extended.
    return tuple(_of_blocks(sitting, info.plan.blocks) for sitting in info.sittings) or (first(info),)


def _of_blocks(sitting: SittingRow, blocks: int) -> SittingRow:
    return sitting if sitting.blocks is not None else replace(sitting, blocks=blocks)


def first(info: RunInfo) -> SittingRow:
    """The first sitting of a run, of which run.json itself holds versions, environment and placement."""
    return SittingRow(
        started=info.started,
        versions=info.versions,
        environment=info.environment,
        placement=info.placement,
        blocks=info.plan.blocks,
    )


def today(info: RunInfo, versions: Mapping[str, str] | None = None) -> SittingRow:
    """A sitting of the run `info` on this machine as it is now, with the placement of the sitting before it.

    `versions` are those that are installed now; without them only the version of gatebench itself is compared.
    """
    return SittingRow(
        started=utc_now(),
        versions={"gatebench": environment.version()} | dict(versions or {}),
        environment=environment.describe(),
        placement=sittings(info)[-1].placement,
        code=digests(info.plan),
        commits=commits(info.plan),
        blocks=info.plan.blocks,
    )


def changes(before: SittingRow, now: SittingRow) -> Changes:
    """What differs between two sittings: machine, versions, code, and a placement on CPUs that are gone.

    What only one of them knows is not compared: older records hold less, and some versions show only in the run.
    """
    return (
        _differing("machine", _machine(before), _machine(now))
        | _differing("versions", before.versions, now.versions)
        | _differing("code", before.code, now.code)
        | _placement(before, now)
    )


def other_machine(infos: Sequence[RunInfo]) -> Changes:
    """What shows that the runs were not all measured on one machine: name -> (there, here); empty if they were.

    A machine is its CPU, their number, architecture, kernel, memory, and how many of its CPUs servers and load
    generator had. Each sitting is compared with the very first; what only one of the two knows is not compared.
    """
    every = [sitting for info in infos for sitting in sittings(info)]
    found: Changes = {}
    for sitting in every[1:]:
        for name, change in _apart(every[0], sitting).items():
            found.setdefault(name, change)
    return found


def _apart(first: SittingRow, other: SittingRow) -> Changes:
    before, now = _machine(first) | _cores(first), _machine(other) | _cores(other)
    found = {name: (str(was), str(now[name])) for name, was in before.items() if name in now and now[name] != was}
    was, is_ = (each.environment.get("memory_bytes") for each in (first, other))
    if was and is_ and abs(was - is_) > SAME_MEMORY * max(was, is_):
        found["memory"] = (units.bytes_(was), units.bytes_(is_))
    return found


def _cores(sitting: SittingRow) -> dict[str, int]:
    """How many CPUs each role had."""
    return {name: len(sitting.placement[role]) for role, name in ROLES.items() if role in sitting.placement}


def _machine(sitting: SittingRow) -> dict[str, Any]:
    known = {key: sitting.environment[key] for key in MACHINE if key in sitting.environment}
    elsewhere: Mapping[str, Any] = sitting.environment.get(GENERATORS, {})
    server = sitting.environment.get(SERVER)
    known |= {f"{server['name']} (servers)": _in_short(server)} if server else {}
    return known | {f"{name} (generators)": _in_short(facts) for name, facts in elsewhere.items()}


def _in_short(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {facts[key]}" for key in MACHINE if key in facts)


def _differing(kind: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Changes:
    return {
        f"{kind}: {name}": (str(value), str(now[name]))
        for name, value in before.items()
        if name in now and now[name] != value
    }


def _placement(before: SittingRow, now: SittingRow) -> Changes:
    there = now.environment.get(SERVER) or now.environment
    usable = there.get("usable_cpus")
    needed = sorted({cpu for cpus in before.placement.values() for cpu in cpus})
    if usable is None or set(needed) <= set(usable):
        return {}
    return {"placement": (f"CPUs {_listed(needed)}", f"usable CPUs {_listed(usable)}")}


def _listed(cpus: list[int]) -> str:
    return ", ".join(map(str, cpus))
