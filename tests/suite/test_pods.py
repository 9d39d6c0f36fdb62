"""A pod in a suite: which arms get it, and what follows for their cells and slices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DefinitionError
from harness.strict import adapter
from harness.suite import Cell, Options, Plan, Pod, build, load_suite
from tests import factories

MIB = 1 << 20
HALF = Pod(cpus=0.5, memory=512 * MIB)


def planned(folder: Path, text: str, **options: Any) -> Plan:
    """The plan of a suite of that text."""
    path = folder / "mine.toml"
    path.write_text(text)
    definitions, suite = load_suite(str(path))
    return build(definitions, suite, Options(seed=1, **options))


def test_a_suites_pod_is_that_of_every_arm_and_a_sides_own_goes_before(tmp_path: Path) -> None:
    """Cells and words say so."""
    plan = planned(
        tmp_path,
        """
        pod = { cpus = 0.5, memory = "512MiB" }
        [[pair]]
        scenario = "json"
        [[pair]]
        scenario = "json"
        a = { target = "fastapi", server = "uvicorn", pod = { cpus = 2 } }
        b = { target = "fastapi", server = "uvicorn" }
        """,
    )
    cells = {arm.id: arm.cell for arm in plan.groups[0].arms}
    assert {name: cell.pod for name, cell in cells.items()} == {
        "p1a": HALF,
        "p1b": HALF,
        "p2a": Pod(cpus=2.0),
        "p2b": HALF,
    }
    assert cells["p2a"].keys["cpus"] == 2.0
    assert plan.groups[0].arms[0].own == ("8 threads", "0.5 CPU", "512\u202fMiB")
    assert plan.groups[0].arms[2].own == ("2 CPUs",)
    assert not plan.groups[0].pairs[1].null, "its sides differ in their pods"


def test_the_command_lines_pod_goes_before_all(tmp_path: Path) -> None:
    """Whatever suite and sides state."""
    text = """
    pod = { cpus = 2 }
    [[pair]]
    scenario = "json"
    a = { target = "fastapi", server = "uvicorn", pod = { memory = "1GiB" } }
    """
    plan = planned(tmp_path, text, pod=HALF)
    assert {arm.cell.pod for arm in plan.groups[0].arms} == {HALF}


@pytest.mark.parametrize(
    ("pod", "lengths"),
    [("", (0.5, 2.0)), ('pod = { memory = "1GiB" }', (0.5, 2.0)), ("pod = { cpus = 0.5 }", (2.0, 2.0))],
)
def test_slices_in_a_quota_last_twenty_of_its_periods(tmp_path: Path, pod: str, lengths: tuple[float, float]) -> None:
    """Those at the edges count in part."""
    plan = planned(tmp_path, f'{pod}\n[[pair]]\nscenario = "json"')
    assert (plan.slice_s, plan.open_slice_s) == lengths


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        ("{}", "pod: Value error, must state cpus, memory, or both"),
        ('{ memory = "5 parsecs" }', "pod.memory: Value error, '5 parsecs' is no amount: write 512MiB or 1GiB"),
        ("{ cpus = 0 }", "pod.cpus: Input should be greater than or equal to 0.01"),
        ("{ cpu = 1 }", "pod.cpu: unknown key"),
    ],
)
def test_a_pod_that_cannot_be_is_said_with_its_key(tmp_path: Path, pod: str, problem: str) -> None:
    """And its file."""
    with pytest.raises(DefinitionError) as caught:
        planned(tmp_path, f'pod = {pod}\n[[pair]]\nscenario = "json"')
    assert caught.value.problems == [f"{tmp_path / 'mine.toml'}: {problem}"]


def test_a_cell_of_a_pod_is_written_flat_and_read_again() -> None:
    """One of an older record is in none."""
    cell = factories.arm().cell
    kind = adapter(Cell)
    written = json.loads(kind.dump_json(cell.within(HALF)))
    assert (written["cpus"], written["memory_limit_bytes"]) == (0.5, 512 * MIB)
    assert kind.validate_json(json.dumps(written)) == cell.within(HALF)
    older = {key: value for key, value in written.items() if key not in {"cpus", "memory_limit_bytes"}}
    assert kind.validate_json(json.dumps(older)) == cell
