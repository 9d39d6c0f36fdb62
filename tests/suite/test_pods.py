"""A pod in a suite: which arms get it, and what follows for their cells and slices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DefinitionError, UsageError
from harness.spec.machines import Machine
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


SHARED = """
pod = {{ cpus = {cpus}, memory = "{memory}" }}
[[pair]]
scenario = "json"
workers = {workers}
a = {{ target = "flask", server = "gunicorn-gthread" }}
b = {{ target = "flask", server = "{server}", pods = 4 }}
{more}
"""


def shared(**changes: Any) -> str:
    """One pod of four workers against four of one."""
    given = {"cpus": 0.8, "memory": "1GiB", "workers": 4, "server": "gunicorn-gthread", "more": ""}
    return SHARED.format(**given | changes)


def test_pods_share_workers_quota_and_limit(tmp_path: Path) -> None:
    """Both sides have the same; of each pod it is an equal part."""
    one, four = planned(tmp_path, shared()).groups[0].arms
    assert (one.cell.pods, one.cell.part) == (1, one.cell)
    assert (four.cell.pods, four.cell.workers, four.cell.pod) == (4, 4, one.cell.pod)
    part = four.cell.part
    assert (part.pods, part.workers, part.cpus, part.memory_limit_bytes) == (1, 1, 0.2, 256 * MIB)
    assert one.own == ("8 threads", "0.8 CPU", "1.00\u202fGiB")
    assert four.own == ("8 threads", "4 pods share 0.8 CPU", "1.00\u202fGiB")


def test_the_command_lines_pod_is_shared_too(tmp_path: Path) -> None:
    """It is a budget for all of them."""
    text = shared().replace("pod = {", "# ", 1)
    with pytest.raises(UsageError, match="pods = 4: they share a pod's quota or memory limit: state pod, or --cpus"):
        planned(tmp_path, text)
    _, four = planned(tmp_path, text, pod=Pod(cpus=2.0)).groups[0].arms
    assert (four.cell.cpus, four.cell.part.cpus, four.cell.part.memory_limit_bytes) == (2.0, 0.5, None)


def test_a_server_of_one_process_can_be_in_several_pods(tmp_path: Path) -> None:
    """Each has one of the workers."""
    text = shared().replace('"gunicorn-gthread", pods', '"waitress", pods')
    assert planned(tmp_path, text).groups[0].arms[1].cell.part.workers == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"workers": 6}, "pods: 6 workers cannot be shared by 4 pods, equal parts each"),
        ({"server": "nginx-gunicorn-sync"}, "pods: nginx-gunicorn-sync has nginx in front of it"),
        (
            {"more": 'disturbance = { kind = "overload", times = [1] }'},
            "pods: a disturbance is done to one server",
        ),
    ],
)
def test_what_does_not_go_with_several_pods_is_said(changes: dict[str, Any], problem: str, tmp_path: Path) -> None:
    """With the side that asks for it."""
    with pytest.raises(DefinitionError) as caught:
        planned(tmp_path, shared(**changes))
    assert len(caught.value.problems) == 1
    assert f"pair[0].b.{problem}" in caught.value.problems[0]


def test_an_app_that_runs_already_cannot_be_in_several_pods(tmp_path: Path) -> None:
    """It is started by nobody here."""
    running = (
        '[[target]]\nname = "shop"\ninterface = "wsgi"\nurl = "http://127.0.0.1:9"\nhandler = "sync"\npackages = []\n'
    )
    text = shared().replace('b = { target = "flask"', 'b = { target = "shop"') + running
    with pytest.raises(DefinitionError, match="pods: shop runs already"):
        planned(tmp_path, text)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cpus": 0.02}, "pods = 4: 0.02 CPU in all leaves each of them less than 0.01 CPU: give"),
        ({"memory": "2MiB"}, "pods = 4: 2.00\u202fMiB in all leaves each of them less than 1.00\u202fMiB: give"),
    ],
)
def test_a_part_that_the_kernel_does_not_give_is_said(changes: dict[str, Any], problem: str, tmp_path: Path) -> None:
    """Before anything is started."""
    with pytest.raises(UsageError, match=problem):
        planned(tmp_path, shared(**changes))


def test_several_pods_are_had_on_this_machine_alone(tmp_path: Path) -> None:
    """One message says so."""
    with pytest.raises(UsageError, match="pods = 4: several pods are had on this machine alone"):
        planned(tmp_path, shared(), server=Machine(host="ten"), bind="10.0.0.2")


def test_a_cell_of_a_pod_is_written_flat_and_read_again() -> None:
    """One of an older record is in none."""
    cell = factories.arm().cell
    kind = adapter(Cell)
    written = json.loads(kind.dump_json(cell.within(HALF)))
    assert (written["cpus"], written["memory_limit_bytes"]) == (0.5, 512 * MIB)
    assert kind.validate_json(json.dumps(written)) == cell.within(HALF)
    older = {key: value for key, value in written.items() if key not in {"cpus", "memory_limit_bytes", "pods"}}
    assert kind.validate_json(json.dumps(older)) == cell
