"""What a reader must know of an arm that was not launched, for it ran already."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.validity.unchecked import unchecked
from harness.judge.verdicts import Caveat
from harness.record import Run


def running(run: Run) -> Iterator[Caveat]:
    """A caveat for each target that ran already."""
    targets = {arm.target.name: arm.target for group in run.info.plan.groups for arm in group.arms if arm.target.url}
    for target in targets.values():
        yield Caveat(
            kind="not-launched",
            text=(
                f"{target.name} ran already at {target.url} and is the same in every block: no interval holds what "
                f"differs from launch to launch. Not checked: {', '.join(unchecked(target))}"
            ),
            remedy="have it launched, as a target with an app" + ("" if target.pid else "; or name its pid"),
        )
