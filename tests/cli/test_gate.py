"""The gate on the command line: exit codes and sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import record, units
from harness.cli.gate import demands, enforce
from harness.errors import GateError, UndecidedError, UsageError
from harness.judge.validity import judge
from harness.judge.verdicts import Gate, GateFinding
from harness.machine.placement import usable_cpus
from harness.record import Run, Trial
from harness.suite import Thresholds
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
GATE = ("--fail-on-regression", "5%")

DIES = """
import os
from targets.fastapi_app import app as inner

left = 1000


async def app(scope, receive, send):
    global left
    left -= scope["type"] == "http"
    if left < 0:
        os._exit(1)
    await inner(scope, receive, send)
"""
SUITE = f"""
about = "A candidate that dies after a thousand requests."
blocks = 1
rounds = 1
slice_s = 0.2
phases = ["closed"]

[[target]]
name = "shop"
interface = "asgi"
app = "shop:app"
folder = "."
packages = ["fastapi"]
handler = "async"
[target.env]
PYTHONPATH = "{ROOT}"

[[pair]]
scenario = "json"
connections = 16
a = {{ target = "fastapi", server = "uvicorn" }}
b = {{ target = "shop", server = "uvicorn" }}
"""


def gatebench(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call it in `cwd`."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "harness", *argv]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


def written(folder: Path, run: Run, change: Callable[[Trial], Trial] = lambda trial: trial) -> Path:
    """The run's records in `folder`, with its trials changed."""
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, run.info) as writer:
        for trial in run.trials:
            writer.append(change(trial))
    return folder


def steal(trial: Trial) -> Trial:
    """The hypervisor took a tenth of the CPU."""
    stolen = replace(trial, slices=tuple(replace(row, steal_fraction=0.1) for row in trial.slices))
    return replace(stolen, valid=False, reasons=judge(stolen, Thresholds()))


def no_start(trial: Trial) -> Trial:
    """The candidate did not start in block 2."""
    if (trial.arm, trial.block) != ("p1b", 2):
        return trial
    names = ("trial", "arm", "pair", "group", "block", "phase", "cell", "load", "started")
    return Trial(error="ended with 1: ImportError", fault="arm", **{name: getattr(trial, name) for name in names})


def test_a_candidate_that_did_not_start_in_one_block_of_five_ends_with_1(tmp_path: Path) -> None:
    """Named with block and reason; two blocks that are allowed let it pass."""
    folder = str(written(tmp_path / "broken", factories.simulated_run(), no_start))
    done = gatebench("compare", folder, *GATE, cwd=tmp_path)
    assert done.returncode == 1
    assert "the gate failed 1 of 1 pair" in done.stderr
    assert (
        "p1 json, fastapi on uvicorn: the candidate spoiled 1 block, 0 allowed in all: "
        "block 2: p1b: ended with 1: ImportError"
    ) in done.stderr
    assert gatebench("compare", folder, *GATE, "--allow-failed-blocks", "2", cwd=tmp_path).returncode == 0


def test_the_decision_stands_in_the_json(tmp_path: Path) -> None:
    """A slower candidate: exit 1, and `gate` says why."""
    folder = str(written(tmp_path / "slower", factories.simulated_run(rps={"p1b": 800.0})))
    done = gatebench("compare", folder, *GATE, "--metric", "memory", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert f"throughput_rps is worse by more than {units.percent(0.05)}: 0.8" in done.stderr
    decided = json.loads(done.stdout)["gate"]
    assert decided["metrics"] == ["throughput_rps", "memory_bytes"]
    assert [(found["pair"], found["kind"]) for found in decided["failed"]] == [("p1", "regression")]
    assert decided["undecided"] == []


def test_a_machine_that_took_the_verdict_ends_with_3(tmp_path: Path) -> None:
    """And is named; a later run of equals passes."""
    quiet = str(written(tmp_path / "quiet", factories.simulated_run()))
    noisy = str(written(tmp_path / "noisy", factories.simulated_run(seed=2), steal))
    done = gatebench("compare", noisy, *GATE, cwd=tmp_path)
    assert done.returncode == 3
    assert "the gate could not decide on 1 of 1 pair, and no candidate failed" in done.stderr
    assert (
        "no verdict on throughput_rps (through the machine): blocks 0, 1, 2, 3, 4: p1a: the hypervisor" in done.stderr
    )
    assert gatebench("compare", quiet, *GATE, cwd=tmp_path).returncode == 0


def test_runs_of_different_machines_end_with_3_unless_they_are_to_be_judged(tmp_path: Path) -> None:
    """Figures are shown; what differs and what to do are said."""
    here = str(written(tmp_path / "here", factories.simulated_run()))
    there = factories.simulated_run(rps={"p1b": 800.0}, seed=2, environment={"cpu": "Other CPU"})
    other = str(written(tmp_path / "there", there))
    done = gatebench("compare", here, other, *GATE, cwd=tmp_path)
    assert done.returncode == 3
    assert "not judged" in done.stdout
    assert "0.8" in done.stdout
    assert "different machines (cpu Test CPU and Other CPU)" in done.stderr
    assert "--across-machines judges all the same" in done.stderr
    assert "No verdicts" in next((tmp_path / "results").glob("compare-*.html")).read_text()
    assert gatebench("compare", here, other, *GATE, "--across-machines", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metric", "p99"], "go with --fail-on-regression"),
        (["--fail-on-inconclusive"], "go with --fail-on-regression"),
        ([*GATE, "--metric", "p98"], "--metric 'p98': it must be one of throughput, p99, cpu, memory"),
        (["--fail-on-regression", "5"], "'5' is no share"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused_before_anything_is_measured(
    tmp_path: Path, options: list[str], said: str
) -> None:
    """Exit 2."""
    done = gatebench("run", "quick", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "results").exists()


def test_throughput_is_always_gated() -> None:
    """Once, in front of what is asked for beside it."""
    asked = demands("5%", None, ["p99", "throughput", "p99"], fail_on_inconclusive=False)
    assert asked is not None
    assert asked.metrics == ("throughput_rps", "latency_p99_us")
    assert demands(None, None, None, fail_on_inconclusive=False) is None
    with pytest.raises(UsageError):
        demands(None, 0, None, fail_on_inconclusive=False)


def decided(*failed: GateFinding, undecided: tuple[GateFinding, ...] = (), pairs: tuple[str, ...] = ("p1",)) -> Gate:
    """A decision over one pair."""
    return Gate(
        threshold=0.05,
        metrics=("throughput_rps",),
        allowed_failed_blocks=0,
        pairs=pairs,
        failed=failed,
        undecided=undecided,
    )


def test_a_failure_goes_before_what_is_undecided() -> None:
    """Both are told; nothing to judge is undecided too; a decision without findings says nothing."""
    unsure = GateFinding(
        pair="p1",
        scenario="json",
        candidate="shop",
        kind="no verdict",
        metric="cpu",
        faults=("machine", "baseline", "unclear"),
        reasons=("why",),
    )
    maybe = replace(unsure, kind="inconclusive", faults=("unclear",), ratio=1.1, low=0.9, high=1.3)
    both = rf"cpu may be worse by more than {units.percent(0.05)}: 1.10 \(0.90 to 1.30\)\n.*no verdict"
    with pytest.raises(GateError, match=both):
        enforce(decided(maybe, undecided=(unsure,)))
    with pytest.raises(
        UndecidedError, match=r"\(through the machine and the baseline, and the cause is unclear\): why"
    ) as raised:
        enforce(decided(undecided=(unsure,)))
    assert raised.value.exit_code == 3
    with pytest.raises(UndecidedError, match="no pair of a baseline and a candidate"):
        enforce(decided(pairs=()))
    enforce(decided())
    assert GateError.exit_code == 1


@pytest.mark.live
@pytest.mark.skipif(len(usable_cpus()) < 2, reason="no gate judges a run on a single CPU")
def test_one_call_measures_and_gates(tmp_path: Path) -> None:
    """A candidate that dies under load: its row says so, and the run ends with 1."""
    (tmp_path / "shop.py").write_text(DIES)
    (tmp_path / "shop.toml").write_text(SUITE)
    done = gatebench("run", "shop.toml", "--json", "--seed", "1", *GATE, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "shop on uvicorn: the candidate spoiled 1 block, 0 allowed in all: block 0: p1b:" in done.stderr
    found = json.loads(done.stdout)["gate"]["failed"]
    assert [each["kind"] for each in found][:1] == ["spoiled"]


def test_what_holds_for_several_pairs_is_said_once() -> None:
    """As the machines of two runs, which are those of every pair."""
    findings = [
        GateFinding(
            pair=pair,
            scenario="json",
            candidate="b",
            kind="no verdict",
            faults=("machine",),
            reasons=(why,),
            metric="m",
        )
        for pair, why in (("p1", "other machines"), ("p2", "steal"), ("p3", "other machines"))
    ]
    decided = Gate(
        threshold=0.05,
        metrics=("m",),
        allowed_failed_blocks=0,
        pairs=("p1", "p2", "p3"),
        failed=(),
        undecided=tuple(findings),
    )
    with pytest.raises(UndecidedError) as error:
        enforce(decided)
    assert str(error.value).splitlines()[1:] == [
        "p1 json, b; p3 json, b: no verdict on m (through the machine): other machines",
        "p2 json, b: no verdict on m (through the machine): steal",
    ]
