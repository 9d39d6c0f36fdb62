"""A row that failed says whose fault that is."""

from __future__ import annotations

import time
from pathlib import Path
from unittest.mock import Mock

from harness.machine.placement import Placement
from harness.record import Trial
from harness.subject.services import Services
from harness.suite import Arm
from harness.trial.bench import Bench, GroupState
from harness.trial.block import measure_block
from harness.trial.generator import Generator
from harness.trial.progress import Progress
from tests import factories


def rows(folder: Path, *arms: Arm, missing: dict[str, str]) -> dict[str, Trial]:
    """The rows of a block of those arms, none of which can be started."""
    group = factories.group(*arms)
    bench = Bench(
        plan=factories.plan(group),
        placement=Placement(server=(0,), generator=(0,), services=(0,)),
        services=Services(),
        generator=Mock(spec=Generator),
        missing=missing,
        logs=folder,
        progress=Mock(spec=Progress),
        started_ns=time.perf_counter_ns(),
    )
    return {trial.arm: trial for trial in measure_block(bench, GroupState(group), 0)}


def test_a_missing_package_is_the_arms_own_fault_and_a_missing_redis_is_not(tmp_path: Path) -> None:
    """The gate then knows a candidate that does not start from one that could not be started here."""
    found = rows(
        tmp_path,
        factories.flask_arm("p1a"),
        factories.arm("p1b", scenario=factories.upstream_scenario(), cache="redis"),
        missing={"p1a": "flask is not installed"},
    )
    assert {name: (trial.fault, trial.valid) for name, trial in found.items()} == {
        "p1a": ("arm", False),
        "p1b": ("machine", False),
    }
    assert found["p1a"].error == "flask is not installed"
    assert found["p1b"].error == Services().redis_error
