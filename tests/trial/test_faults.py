"""Faults in the middle of a block are rows with their reason; what can still be measured is."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import LaunchError
from harness.machine import pods
from harness.machine.placement import Placement
from harness.machine.process import Process, running
from harness.record import Trial
from harness.spec import Event, Result, Spec
from harness.subject import services
from harness.subject.launch import Launched, launch
from harness.subject.services import Services
from harness.suite import Arm, Ask, Expect, Pod, Upstream
from harness.trial import faults, generator, phase
from harness.trial.bench import Bench, GroupState
from harness.trial.block import measure_block
from harness.trial.generator import Generator
from harness.trial.observe import Observer
from harness.trial.progress import Silent
from harness.trial.serving import Serving
from tests import factories
from tests.polling import until

SERVER = """
import os, subprocess, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
host, port, mortal = sys.argv[1], int(sys.argv[2]), int(os.environ.get("SHOP_ANSWERS", "0"))
leaked = int(os.environ.get("SHOP_LEAKS", "0"))
if os.environ.get("SHOP_WORKER"):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
answered, kept = 0, []
class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        global answered
        answered += 1
        kept.append(bytearray(leaked))
        if mortal and answered > mortal:
            print("MemoryError: no more", flush=True)
            os._exit(3)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_):
        pass
ThreadingHTTPServer((host, port), Hello).serve_forever()
"""
LIMIT = 64 << 20
KILLED = "ended by signal 9 (Killed)"


def shop(name: str, folder: Path, env: dict[str, str] | None = None, upstream_calls: int = 0) -> Arm:
    """An arm whose server is a few lines, and ends when it is told to."""
    return factories.arm(
        name,
        target=factories.target(name="shop", python=sys.executable, folder=str(folder), env=env or {}),
        server=factories.server(name="tiny", argv=("{python}", "-c", SERVER, "{host}", "{port}")),
        scenario=factories.scenario(
            request=Ask(path="/"), expect=Expect(contains="hello"), upstream_calls=upstream_calls
        ),
        loads=factories.loads("closed", "open", connections=4),
    )


generators: list[Generator] = []


@pytest.fixture(autouse=True)
def _end_generators(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What follows a fault is tested, not a figure: a warm-up may be as short as the slices."""
    monkeypatch.setattr(phase, "WARM_UP_S", 0.1)
    yield
    while generators:
        generators.pop().end()


@dataclass
class Fault(Silent):
    """Strikes once, after the first slice."""

    strike: Callable[[str], None]
    struck: list[str] = field(default_factory=list)

    def slice_done(self, arm: str, throughput_rps: float) -> None:
        """Strike."""
        del throughput_rps
        if not self.struck:
            self.struck.append(arm)
            self.strike(arm)


def bench_of(state: GroupState, beside: Services, folder: Path, strike: Callable[[str], None]) -> Bench:
    """A bench of short slices."""
    generators.append(Generator(cpus=(), log=folder / "logs" / "generator.log"))
    return Bench(
        plan=factories.plan(state.group, rounds=1, slice_s=0.1, open_slice_s=0.2),
        placement=Placement(server=(), generator=(), services=()),
        services=beside,
        generator=generators[-1],
        missing={},
        logs=folder / "logs",
        progress=Fault(strike),
        started_ns=time.perf_counter_ns(),
    )


def block(bench: Bench, state: GroupState, number: int = 0) -> dict[str, Trial]:
    """The rows of a block by arm and phase."""
    return {f"{trial.arm} {trial.phase}": trial for trial in measure_block(bench, state, number)}


@contextmanager
def launched(arm: Arm, folder: Path) -> Iterator[Launched]:
    """That arm, ready."""
    with launch(arm, (), Services(), cpus=(), log=folder / "log") as server:
        server.wait_ready()
        yield server


@pytest.mark.live
def test_a_target_that_dies_after_some_requests_is_named_and_not_driven_again(tmp_path: Path) -> None:
    """The other arm of its group is measured in both phases."""
    state = GroupState(factories.group(shop("p1a", tmp_path), shop("p1b", tmp_path, {"SHOP_ANSWERS": "60"})))
    rows = block(bench_of(state, Services(), tmp_path, lambda _arm: None), state)
    died = f"shop on tiny ended with exit code 3: MemoryError: no more; log: {tmp_path / 'logs/p1b.log'}"
    closed, opened = rows["p1b closed"], rows["p1b open"]
    assert closed.error == died or f"died during the load: {died}" in closed.reasons
    assert opened.error == f"not driven, for it was lost in the closed phase of this block: {died}"
    assert rows["p1a closed"].error is None
    assert rows["p1a closed"].errors == 0
    assert rows["p1a closed"].requests > 0


@pytest.mark.live
def test_a_target_that_its_memory_limit_kills_is_named_with_what_the_pod_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no generic death, and the arm's own fault; the other, which fits into its pod, has its quota counted."""
    run = Generator.run

    def impatient(self: Generator, order: Spec, *more: Any) -> Result:
        """Does not wait half a minute for first answers over connections that the dead refuse."""
        return run(self, replace(order, patience_s=1.0), *more)

    monkeypatch.setattr(Generator, "run", impatient)
    if why := pods.refused(0.05, LIMIT):
        pytest.skip(why)
    arms = [shop("p1a", tmp_path), shop("p1b", tmp_path, {"SHOP_LEAKS": str(LIMIT // 60)})]
    limits = Pod(cpus=0.25, memory=LIMIT), Pod(memory=LIMIT)
    inside = [replace(arm, cell=arm.cell.within(pod)) for arm, pod in zip(arms, limits, strict=True)]
    state = GroupState(factories.group(*inside))
    rows = block(bench_of(state, Services(), tmp_path, lambda _arm: None), state)
    killed = "shop on tiny was killed by the memory limit of 64.0\u202fMiB (killed processes: 1)"
    closed, opened = rows["p1b closed"], rows["p1b open"]
    assert closed.error is not None
    assert closed.error.startswith(killed)
    assert (closed.fault, closed.oom_kills) == ("arm", 1)
    assert closed.peak_memory_bytes is not None
    assert 0.9 * LIMIT < closed.peak_memory_bytes <= LIMIT
    assert opened.error is not None
    assert opened.error.startswith(f"not driven, for it was lost in the closed phase of this block: {killed}")
    assert rows["p1a closed"].oom_kills == 0
    assert rows["p1a closed"].requests > 0
    assert rows["p1a closed"].nr_periods
    assert rows["p1a closed"].throttled_s is not None


@pytest.mark.live
def test_an_arm_in_several_pods_is_driven_in_all_of_them(tmp_path: Path) -> None:
    """What they count is one row's; and one of them that dies is the end of the arm, by its name."""
    one, two = shop("p1a", tmp_path), shop("p1b", tmp_path)
    spread = replace(two, cell=two.cell.at(workers=2, pods=2))
    state = GroupState(factories.group(one, spread))
    rows = block(bench_of(state, Services(), tmp_path, lambda _arm: None), state)
    for phase_ in ("closed", "open"):
        row = rows[f"p1b {phase_}"]
        assert (row.error, row.errors, row.cell.pods, row.processes) == (None, 0, 2, 2)
        assert row.requests > 0
        assert rows[f"p1a {phase_}"].processes == 1
    assert len(rows["p1b closed"].worker_shares) == 2
    mortal = shop("p1b", tmp_path, {"SHOP_ANSWERS": "60"})
    state = GroupState(factories.group(one, replace(mortal, cell=spread.cell)))
    rows = block(bench_of(state, Services(), tmp_path, lambda _arm: None), state)
    assert re.search(
        r"not driven, for it was lost in the closed phase of this block: shop on tiny, pod [12] of 2 ended with exit "
        r"code 3: MemoryError: no more; log: .*/p1b-pod[12]\.log",
        rows["p1b open"].error or "",
    )
    assert rows["p1a open"].error is None


@pytest.mark.live
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_generator_that_dies_or_hangs_costs_its_phase_alone(
    fault: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next block is measured."""
    monkeypatch.setattr(generator, "longest_silence_s", lambda _load: 2.0)
    pids: list[int] = []
    watch = Observer.__call__

    def noted(self: Observer, event: Event, process: Process) -> None:
        pids.append(process.pid)
        watch(self, event, process)

    monkeypatch.setattr(Observer, "__call__", noted)
    state = GroupState(factories.group(shop("p1a", tmp_path), shop("p1b", tmp_path)))
    bench = bench_of(state, Services(), tmp_path, lambda _arm: os.kill(pids[-1], fault))
    rows = block(bench, state)
    reason = f"load generator {KILLED}" if fault == signal.SIGKILL else "load generator is silent for 2 s"
    for arm in ("p1a", "p1b"):
        error = rows[f"{arm} closed"].error
        assert error is not None
        assert error.startswith(reason)
        assert error.endswith(f"log: {tmp_path / 'logs/generator.log'}")
        assert rows[f"{arm} open"].error is not None, "it has no rate to offer"
    again = block(bench, state, 1)
    assert [trial.error for trial in again.values()] == [None] * 4


@pytest.mark.live
@pytest.mark.parametrize(("fault", "reason"), [(signal.SIGKILL, KILLED), (signal.SIGSTOP, "does not answer")])
def test_an_upstream_that_dies_or_hangs_costs_its_block_alone(
    fault: signal.Signals, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named in the rows, and there again for the next block."""
    monkeypatch.setattr(services, "ANSWER_S", 0.5)
    state = GroupState(
        factories.group(shop("p1a", tmp_path, upstream_calls=1), shop("p1b", tmp_path, upstream_calls=1))
    )
    with services.started(upstream=Upstream(), redis=False, cpus=(), logs=tmp_path) as beside:

        def strike(_arm: str) -> None:
            upstream = beside.processes["upstream"]
            os.kill(upstream.pid, fault)
            assert fault == signal.SIGSTOP or until(lambda: not upstream.alive())

        bench = bench_of(state, beside, tmp_path, strike)
        rows = block(bench, state)
        assert len(rows) == 4
        for trial in rows.values():
            assert trial.error is not None
        assert (rows["p1b closed"].error or "").startswith(f"upstream {reason}")
        again = block(bench, state, 1)
        assert [trial.error for trial in again.values()] == [None] * 4
        assert {trial.upstream_hits for trial in again.values()} == {0}, "this target calls it never"


@pytest.mark.live
def test_an_upstream_that_cannot_be_started_again_is_an_error_of_those_that_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other groups are measured."""
    calling = GroupState(factories.group(shop("p1a", tmp_path, upstream_calls=1), shop("p1b", tmp_path)))
    with services.started(upstream=Upstream(), redis=False, cpus=(), logs=tmp_path) as beside:
        beside.processes["upstream"].kill()
        assert until(lambda: not beside.processes["upstream"].alive())

        def refuse(*_: object) -> None:
            raise LaunchError("upstream cannot be started: no memory")

        monkeypatch.setattr(services, "_upstream", refuse)
        rows = block(bench_of(calling, beside, tmp_path, lambda _arm: None), calling)
    assert rows["p1a closed"].error == rows["p1a open"].error == "upstream cannot be started: no memory"
    assert rows["p1b closed"].error is None
    assert rows["p1b closed"].requests > 0


@pytest.mark.live
def test_an_upstream_that_does_not_come_up_at_first_costs_those_that_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their rows say whose fault it is, the others are measured, and the next block has it."""
    calling = GroupState(factories.group(shop("p1a", tmp_path, upstream_calls=1), shop("p1b", tmp_path)))

    def refuse(*_: object) -> None:
        raise LaunchError("upstream cannot be started: no memory")

    with monkeypatch.context() as without:
        without.setattr(services, "_upstream", refuse)
        with services.started(upstream=Upstream(), redis=False, cpus=(), logs=tmp_path) as beside:
            bench = bench_of(calling, beside, tmp_path, lambda _arm: None)
            rows = block(bench, calling)
            without.undo()
            again = block(bench, calling, 1)
    assert rows["p1a closed"].error == "upstream cannot be started: no memory"
    assert rows["p1a closed"].fault == "machine"
    assert rows["p1b closed"].error is None
    assert [trial.error for trial in again.values()] == [None] * 4


def test_arms_that_do_not_come_up_or_answer_wrongly_are_rows_with_their_logs(tmp_path: Path) -> None:
    """In every phase of the block."""
    wrong = shop("p1a", tmp_path)
    wrong = replace(wrong, scenario=replace(wrong.scenario, expect=Expect(contains="goodbye")))
    state = GroupState(factories.group(wrong, shop("p1b", tmp_path, {"PYTHONHOME": "/nowhere"})))
    rows = block(bench_of(state, Services(), tmp_path, lambda _arm: None), state)
    assert rows.keys() == {"p1a closed", "p1a open", "p1b closed", "p1b open"}
    assert rows["p1a open"].error == (
        f"shop on tiny answers wrongly (GET /: body lacks 'goodbye': hello); log: {tmp_path / 'logs/p1a.log'}"
    )
    assert (rows["p1b open"].error or "").startswith("shop on tiny ended with exit code 1: ")
    assert (rows["p1b open"].error or "").endswith(f"; log: {tmp_path / 'logs/p1b.log'}")


def test_a_wrong_answer_of_an_arm_whose_service_died_is_the_services_fault(tmp_path: Path) -> None:
    """Its row names the service."""
    wrong = shop("p1a", tmp_path, upstream_calls=1)
    wrong = replace(wrong, scenario=replace(wrong.scenario, expect=Expect(contains="goodbye")))
    state = GroupState(factories.group(wrong, shop("p1b", tmp_path, {"PYTHONHOME": "/nowhere"})))
    with running([sys.executable, "-c", ""], name="upstream", log=tmp_path / "log") as upstream:
        assert until(lambda: not upstream.alive())
        bench = bench_of(state, Services(processes={"upstream": upstream}), tmp_path, lambda _arm: None)
        rows = block(bench, state)
    assert rows["p1a closed"].error == f"upstream ended with exit code 0; log: {tmp_path / 'log'}"


def test_a_server_that_hangs_is_noticed_within_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the load, and before the next phase."""
    monkeypatch.setattr(faults, "ASK_S", 0.5)
    with launched(shop("p1b", tmp_path), tmp_path) as server:
        serving = {"p1b": Serving.of(server)}
        assert faults.gone(serving, "closed") == {}
        assert isinstance(server.process, Process)
        os.kill(server.process.pid, signal.SIGSTOP)
        (wrong,) = faults.after_load(serving["p1b"], set(server.process.members()))
        assert wrong.startswith("shop on tiny gave a wrong answer or none after the load (GET /: no whole answer")
        assert wrong.endswith(f"log: {tmp_path / 'log'}")
        lost = str(faults.gone(serving, "closed")["p1b"])
        assert lost.startswith(
            "not driven, for it was lost in the closed phase of this block: shop on tiny is not ready"
        )


def test_a_worker_that_dies_is_noticed(tmp_path: Path) -> None:
    """Its master lives and answers."""
    with launched(shop("p1b", tmp_path, {"SHOP_WORKER": "1"}), tmp_path) as server:
        assert isinstance(server.process, Process)
        serving, before = Serving.of(server), set(server.process.members())
        assert faults.after_load(serving, before) == []
        (worker,) = before - {server.process.pid}
        os.kill(worker, signal.SIGKILL)
        assert until(lambda: worker not in server.process.members())
        (wrong,) = faults.after_load(serving, before)
    assert wrong == f"shop on tiny lost a worker process during the load, or started one again; log: {tmp_path / 'log'}"


def test_services_that_are_gone_end_a_phase_only_where_all_arms_need_them(tmp_path: Path) -> None:
    """Otherwise there is something left to measure."""
    calling, plain = shop("p1a", tmp_path, upstream_calls=1), shop("p1b", tmp_path)
    with running([sys.executable, "-c", ""], name="upstream", log=tmp_path / "log") as upstream:
        assert until(lambda: not upstream.alive())
        beside = Services(processes={"upstream": upstream})
        bench = bench_of(GroupState(factories.group(calling, plain)), beside, tmp_path, lambda _arm: None)
        faults.require_services(bench, [calling, plain])
        with pytest.raises(LaunchError, match="upstream ended with exit code 0"):
            faults.require_services(bench, [calling])
        assert faults.of_services(bench, [calling, plain]).keys() == {"p1a"}
