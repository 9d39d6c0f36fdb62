"""What a sitting is measured with, and what differs between two sittings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.machine import environment
from harness.record.code import digests
from harness.record.rows import RunInfo, SittingRow
from harness.record.times import utc_now

MACHINE = ("cpu", "cpus", "kernel", "machine")
"""Keys of the environment that make up the machine; memory and load differ from boot to boot and mean nothing here."""

DISTURBANCES = "disturbances"
"""Key of the environment under which stands what the look before a sitting found, in words."""

Changes = dict[str, tuple[str, str]]
"""Name of a condition -> (before, after)."""


def sittings(info: RunInfo) -> tuple[SittingRow, ...]:
    """The sittings of a run; a record that has none is of a run with a single sitting."""
    # A record that does not say how many blocks a sitting had is of before runs could be extended.
    return tuple(_of_blocks(sitting, info.plan.blocks) for sitting in info.sittings) or (first(info),)


def _of_blocks(sitting: SittingRow, blocks: int) -> SittingRow:
    return sitting if sitting.blocks is not None else replace(sitting, blocks=blocks)


def first(info: RunInfo, code: Mapping[str, str] | None = None) -> SittingRow:
    """The first sitting of a run, of which run.json itself holds versions, environment and placement."""
    return SittingRow(
        started=info.started,
        versions=info.versions,
        environment=info.environment,
        placement=info.placement,
        code=dict(code or {}),
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


def _machine(sitting: SittingRow) -> dict[str, Any]:
    return {key: sitting.environment[key] for key in MACHINE if key in sitting.environment}


def _differing(kind: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Changes:
    return {
        f"{kind}: {name}": (str(value), str(now[name]))
        for name, value in before.items()
        if name in now and now[name] != value
    }


def _placement(before: SittingRow, now: SittingRow) -> Changes:
    usable = now.environment.get("usable_cpus")
    needed = sorted({cpu for cpus in before.placement.values() for cpu in cpus})
    if usable is None or set(needed) <= set(usable):
        return {}
    return {"placement": (f"CPUs {_listed(needed)}", f"usable CPUs {_listed(usable)}")}


def _listed(cpus: list[int]) -> str:
    return ", ".join(map(str, cpus))
