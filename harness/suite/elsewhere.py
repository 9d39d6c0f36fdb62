"""What cannot be had of other machines, in words."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import UsageError
from harness.suite.address import LOOPBACK, reachable
from harness.suite.machines import Elsewhere
from harness.suite.plan import Arm

NEEDS_BIND = "add --bind with the address of {whose} that they can reach (in a suite `bind` in [machines])"


def refuse_elsewhere(
    suite: str, arms: Iterable[Arm], asked: Elsewhere, generators: int | None, *, disturbed: bool
) -> None:
    """Raise `UsageError` where what is asked for cannot be had of other machines."""
    if not asked.generators and asked.server is None:
        return
    if disturbed:
        raise UsageError(f"{suite}: a disturbance is watched by one generator of this machine: leave out --on")
    if generators is not None and generators < len(asked.generators):
        raise UsageError(
            f"--generators {generators}: {len(asked.generators)} machines are named, each needs one at least"
        )
    for arm in arms:
        if problem := _unfit(arm, asked):
            raise UsageError(f"{suite}: {problem}")


def _unfit(arm: Arm, asked: Elsewhere) -> str | None:
    """Why an arm cannot be measured so."""
    target = arm.target
    if asked.server is not None and arm.cell.pods > 1:
        return f"pods = {arm.cell.pods}: several pods are had on this machine alone: leave out --on server=..."
    if asked.server is not None and (target.url or target.commit):
        why = "runs already" if target.url else "is a commit, which is checked out on this machine alone"
        return f"{target.name} {why}: leave out --on server=..."
    if target.url and not reachable(target.url):
        return (
            f"{target.name} at {target.url} is of this machine alone: give its url an address that the generators reach"
        )
    if target.url or asked.address != LOOPBACK:
        return None
    if asked.server is not None:
        return f"servers on {asked.server.name} are reached by their address: {NEEDS_BIND.format(whose='that machine')}"
    return f"generators on other machines cannot reach servers on {LOOPBACK}: {NEEDS_BIND.format(whose='this machine')}"
