"""A run goes on without a generator that stays away, where those that are left can drive it, and says who was there."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import measure, record
from harness.errors import LaunchError, TooFewGeneratorsError
from harness.judge.compare import within
from harness.machine.placement import place, usable_cpus
from harness.record import GeneratorShare, Trial
from harness.record.sitting import begin
from harness.spec import DrivenArm, Request, Spec
from harness.spec.loads import Closed, Load, Open
from harness.suite import Options, build, load_suite
from harness.trial.bench import Bench, GroupState
from harness.trial.generator import generating
from harness.trial.left import needed, require_enough
from harness.trial.progress import Silent
from tests import factories
from tests.loadtests.engine_support import null_server
from tests.trial.machine_support import machine, without_network

TEN, ELEVEN = machine("ten"), machine("eleven")
LOST = "generator 2 of 2 on eleven lost its agent: ssh ended with exit code 255: No route to host"
SUITE = """
blocks = 4
rounds = 1
slice_s = 0.3
phases = ["closed"]

[[pair]]
scenario = "json"
connections = 6
"""


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that has HOST.pid of whoever talks to a host, and HOST.down of one that cannot be reached."""
    ssh = without_network(tmp_path) / "ssh"
    first, rest = ssh.read_text().split("\n", 1)
    asked = 'host=$(echo " $* " | sed "s/.* -- \\([^ ]*\\) .*/\\1/")\n'
    down = f'if [ -e "{tmp_path}/$host.down" ]; then echo "No route to host" >&2; exit 255; fi\n'
    ssh.write_text(f'{first}\n{asked}{down}echo $$ > "{tmp_path}/$host.pid"\n{rest}')
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=os.pathsep)
    return tmp_path


def cut(network: Path, host: str) -> None:
    """A host is lost, and cannot be reached until its flag is gone."""
    (network / f"{host}.down").touch()
    os.kill(int((network / f"{host}.pid").read_text()), signal.SIGKILL)


def phase(port: int, load: Load) -> Spec:
    """A slice of an arm."""
    arm = DrivenArm(name="a", port=port, load=load, request=Request(length=5))
    return Spec(arms=(arm,), rounds=((0,),), slice_s=0.3, warmup_s=0.1)


@pytest.mark.live
@pytest.mark.beside
@pytest.mark.parametrize("away", ["ten", "eleven"])
def test_those_that_are_left_drive_all_of_it(away: str, network: Path) -> None:
    """Under their own numbers; whoever is back takes part again."""
    (network / f"{away}.down").touch()
    number, other = (1, 2) if away == "ten" else (2, 1)
    with (
        null_server("fixed:5") as server,
        generating(cpus=(), log=network / "generator.log", count=2, machines=(TEN, ELEVEN)) as drives,
    ):
        says = f"generator {number} of 2 on {away} lost its agent: ssh ended with exit code 255: No route to host"
        assert drives.absent() == (says,)
        shown = drives.run(phase(server.port, Closed(connections=5)), lambda *_: None)
        sent = sum(total.attempts for total in shown.totals)
        assert [(share.generator, share.connections) for share in shown.slices[0].shares] == [(other, 5)]
        shown = drives.run(phase(server.port, Open(connections=8, rate_rps=400)), lambda *_: None)
        sent += sum(total.attempts for total in shown.totals)
        assert sent == server.seen()["requests"]
        assert shown.slices[0].scheduled == shown.slices[0].shares[0].requests
        (network / f"{away}.down").unlink()
        drives.mend()
        assert drives.absent() == ()
        shown = drives.run(phase(server.port, Closed(connections=5)), lambda *_: None)
        assert [share.generator for share in shown.slices[0].shares] == [1, 2]


@pytest.mark.live
@pytest.mark.beside
def test_with_none_left_there_is_no_load(network: Path) -> None:
    """The last one that was lost is named."""
    for host in ("ten", "eleven"):
        (network / f"{host}.down").touch()
    with (
        generating(cpus=(), log=network / "generator.log", count=2, machines=(TEN, ELEVEN)) as drives,
        pytest.raises(LaunchError, match=r"generator [12] of 2 on (ten|eleven) lost its agent: .*No route to host"),
    ):
        drives.absent()


class Cut(Silent):
    """Cuts a host off after the first block, and lets it come back when the run has gone on without it."""

    def __init__(self, network: Path) -> None:
        self._network = network

    def trial_done(self, trial: Trial) -> None:
        """See `Progress`."""
        if trial.block == 0 and not (self._network / "eleven.down").exists():
            cut(self._network, "eleven")
        if trial.absent:
            (self._network / "eleven.down").unlink(missing_ok=True)


@pytest.mark.live
@pytest.mark.beside
def test_a_run_loses_a_generator_goes_on_and_has_it_again(network: Path) -> None:
    """The phase in which it was lost is void; the record names for each trial who was there."""
    (network / "tiny.toml").write_text(SUITE)
    plan = build(*load_suite(str(network / "tiny.toml")), Options(seed=1, machines=(TEN, ELEVEN), bind="127.0.0.2"))
    # The hosts share the CPUs with what they load: what they use says nothing here.
    plan = replace(plan, thresholds=replace(plan.thresholds, generator_cpu_percent=1e6))
    (network / "run").mkdir()
    measure.measure(begin(network / "run", plan, place(usable_cpus()), None), Cut(network))
    run = record.read(network / "run")
    seen = [
        (trial.block, [(share.generator, share.machine) for share in trial.generators], trial.absent)
        for trial in run.trials
        if trial.error is None and trial.block < plan.blocks  # a block that noise made void is measured once more
    ]
    both = [(1, "ten"), (2, "eleven")]
    expected: list[Any] = [(0, both, ()), (2, both[:1], (LOST,)), (3, both, ())]
    assert seen == [each for each in expected for _ in range(2)]
    errors = {trial.error for trial in run.trials if trial.block == 1}
    assert len(errors) == 1
    assert "generator 2 of 2 on eleven lost its agent: ssh ended with exit code -9" in str(errors)
    (caveat,) = [each for each in within(run).caveats if each.kind == "absent"]
    assert re.match("2 trials of (8|10) were driven by those of 2 generators that were left", caveat.text)
    assert LOST in caveat.text


@pytest.mark.live
@pytest.mark.beside
def test_a_phase_that_those_who_are_left_cannot_drive_is_rows_that_say_so(network: Path) -> None:
    """Nothing is sent of it; the run ends with its rows."""
    (network / "tiny.toml").write_text(SUITE.replace("blocks = 4", "blocks = 3"))
    plan = build(*load_suite(str(network / "tiny.toml")), Options(seed=1, machines=(TEN, ELEVEN), bind="127.0.0.2"))
    plan = replace(plan, thresholds=replace(plan.thresholds, generator_cpu_percent=1e-3))
    (network / "run").mkdir()
    measure.measure(begin(network / "run", plan, place(usable_cpus()), None), Cut(network))
    rows = record.read(network / "run").trials
    assert [trial.error is None for trial in rows] == [True] * 2 + [False] * 4
    for trial in rows[-2:]:
        assert str(trial.error).startswith(f"{LOST}: the 1 generator left would use ")
        assert (trial.requests, trial.fault) == (0, "machine")


def shown(phase_: str, rps: float, cost_s: float | None) -> Trial:
    """What a trial of the arm has shown."""
    trial = factories.trial(factories.arm("p1a"), phase=phase_)
    share = GeneratorShare(generator=1, connections=3, requests=100, cpu_percent=50.0, waiting_fraction=0.0)
    return replace(trial, throughput_rps=rps, generator_cpu_s_per_request=cost_s, generators=(share,))


@pytest.mark.parametrize(
    ("load", "known", "expected"),
    [
        (Closed(connections=8), [], (0.0, 0.0)),
        (Open(connections=8, rate_rps=1000.0), [], (0.0, 0.0)),
        (Closed(connections=8), [shown("closed", 10_000.0, 1e-5)], (10_000.0, 0.1)),
        (Closed(connections=8), [shown("closed", 9000.0, 2e-5), shown("closed", 8000.0, 1e-5)], (9000.0, 0.09)),
        (Open(connections=8, rate_rps=7000.0), [shown("closed", 10_000.0, 1e-5)], (7000.0, 0.07)),
        (Closed(connections=8), [shown("closed", 10_000.0, None)], (0.0, 0.0)),
    ],
)
def test_what_a_load_takes_is_known_by_what_its_arm_has_shown(
    load: Load, known: list[Trial], expected: tuple[float, float]
) -> None:
    """The last price, at the rate that it is offered, or the highest that it has shown."""
    assert needed(load, known) == pytest.approx(expected)


def bench(absent: tuple[str, ...]) -> Bench:
    """One whose plan has two generators."""
    plan = factories.plan(generators=2, machines=(TEN, ELEVEN))
    stand_in: Any = SimpleNamespace(plan=plan, generator=SimpleNamespace(absent=lambda: absent))
    made: Bench = stand_in
    return made


def test_a_rate_that_those_who_are_left_cannot_send_is_refused_with_why() -> None:
    """By the same threshold by which a trial is judged."""
    group = factories.group()
    state = GroupState(group)
    arms = group.arms
    assert require_enough(bench((LOST,)), state, "closed", arms) == (LOST,), (
        "nothing is known: its trials will be judged"
    )
    state.keep([shown("closed", 80_000.0, 1e-5)])
    assert require_enough(bench((LOST,)), state, "closed", arms) == (LOST,)
    state.keep([shown("closed", 120_000.0, 1e-5)])
    with pytest.raises(TooFewGeneratorsError) as refused:
        require_enough(bench((LOST,)), state, "closed", arms)
    assert str(refused.value).replace("\u202f", " ") == (
        f"{LOST}: the 1 generator left would use 120 % of a core each for 120,000/s of {arms[0].label}, "
        "at most 85 % allowed"
    )
    assert require_enough(bench(()), state, "closed", arms) == ()
