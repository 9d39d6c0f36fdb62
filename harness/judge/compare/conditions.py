"""Under what two runs were measured, and what differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.judge.verdicts import Caveat
from harness.record import Run

VOLATILE = ("load_average",)
"""What differs between any two runs and means nothing."""
SETTINGS = ("slice_s", "open_slice_s", "arrivals", "upstream")
"""Of the plan, what changes the load itself."""
BETTER_WAY = (
    "measure the baseline again as an arm beside the candidate (run --baseline NAME): it shares the machine's moods"
)


def environment_changes(before: Run, after: Run) -> dict[str, tuple[str, str]]:
    """What differs between the conditions of two runs, by name: machine, versions, placement, plan."""
    one, other = _conditions(before), _conditions(after)
    return {
        name: (str(one.get(name, "none")), str(other.get(name, "none")))
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    }


def _conditions(run: Run) -> dict[str, Any]:
    info = run.info
    return (
        {f"machine: {name}": value for name, value in info.environment.items() if name not in VOLATILE}
        | {f"versions: {name}": value for name, value in info.versions.items()}
        | {"versions: gatebench": info.gatebench}
        | {f"placement: {name}": value for name, value in info.placement.items()}
        | {f"plan: {name}": getattr(info.plan, name) for name in SETTINGS}
    )


def caveats(changes: dict[str, tuple[str, str]]) -> Iterator[Caveat]:
    """A warning for each, by name."""
    for name, (earlier, later) in changes.items():
        kind = name.partition(":")[0]
        yield Caveat(kind=kind, text=f"{name} differs: {earlier} before, {later} after", remedy=BETTER_WAY)
