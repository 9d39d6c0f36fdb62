"""Under what conditions two runs were measured, and what differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.judge.verdicts import Caveat
from harness.record import Run
from harness.record.conditions import DISTURBANCES, ROLES, other_machine

VOLATILE = ("load_average", "round_trip_us", DISTURBANCES)
"""Parts of the environment that differ between any two runs and mean nothing."""
SETTINGS = ("slice_s", "open_slice_s", "arrivals", "upstream", "generators", "bind")
"""Fields of the plan that change the load itself."""
BETTER_WAY = (
    "measure the baseline again as an arm beside the candidate (run --baseline NAME), at the same time on the same "
    "machine"
)


SHARED = "servers and load generator shared a CPU: no figure of such a run can be trusted, and no gate judges one"
SHARED_REMEDY = "measure on two CPUs or more"


ACROSS_REMEDY = f"{BETTER_WAY}; --across-machines judges all the same"


def across_machines(before: Run, after: Run) -> str | None:
    """How the machines of two runs differ, in words; None where they are one."""
    differing = other_machine((before.info, after.info))
    listed = "; ".join(f"{name} {was} and {now}" for name, (was, now) in differing.items())
    what = "different machines" if differing.keys() - {*ROLES.values()} else "different numbers of CPUs"
    return f"the runs were measured on {what} ({listed})" if listed else None


def shared_cpu(run: Run) -> Iterator[Caveat]:
    """The mark of a run that was measured with `--shared-cpu`."""
    if run.info.shared_cpu:
        yield Caveat(kind="shared-cpu", text=f"{run.info.run}: {SHARED}", remedy=SHARED_REMEDY)


def environment_changes(before: Run, after: Run) -> dict[str, tuple[str, str]]:
    """What differs between the conditions of two runs: name -> (before, after)."""
    return {name: (was, now) for name, (was, now) in differences((before, after)).items()}


def differences(runs: Sequence[Run]) -> dict[str, tuple[str, ...]]:
    """What is not equal in the conditions of all runs: name -> what it is in each.

    A name begins with the kind of condition: machine, versions, placement or plan.
    """
    each = [_conditions(run) for run in runs]
    return {
        name: tuple(str(conditions.get(name, "none")) for conditions in each)
        for name in sorted({name for conditions in each for name in conditions})
        if any(conditions.get(name) != each[0].get(name) for conditions in each)
    }


def _conditions(run: Run) -> dict[str, Any]:
    info = run.info
    return (
        {f"machine: {name}": value for name, value in _lasting(info.environment).items()}
        | {f"versions: {name}": value for name, value in info.versions.items()}
        | {"versions: gatebench": info.gatebench}
        | {f"placement: {name}": value for name, value in info.placement.items()}
        | {f"plan: {name}": getattr(info.plan, name) for name in SETTINGS}
    )


def _lasting(known: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a machine, or of others that it names, without what differs between any two runs."""
    return {
        name: _lasting(value) if isinstance(value, Mapping) else value
        for name, value in known.items()
        if name not in VOLATILE
    }


def caveats(changes: dict[str, tuple[str, str]]) -> Iterator[Caveat]:
    """A warning for each change, of the kind that its name begins with."""
    for name, (earlier, later) in changes.items():
        kind = name.partition(":")[0]
        yield Caveat(kind=kind, text=f"{name} differs: {earlier} before, {later} after", remedy=BETTER_WAY)
