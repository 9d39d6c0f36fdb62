"""What the harness observes of a slice, and in which order it looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.machine import usage
from harness.machine.process import Process, running
from harness.machine.usage import Machine, Usage
from harness.spec import Event, SliceShare, machines
from harness.subject import connections
from harness.subject.launch import Launched
from harness.subject.services import Services
from harness.trial.observe import Observation, Observer
from tests import factories

GENERATOR_S = 0.3
HARNESS_S = 0.2


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A server that does nothing; it is the generator too."""
    with running([sys.executable, "-c", "import time; time.sleep(60)"], name="arm", log=tmp_path / "log") as process:
        yield process


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of what is read, the name, in order; one second of two CPUs passes between two looks at the machine."""
    order: list[str] = []
    seconds: dict[bool, float] = {True: 0.0, False: 0.0}
    ticks = [0.0]

    def read_usage(pids: Iterable[int], _proc: Path = usage.PROC) -> Usage:
        (pid,) = pids
        own = pid == os.getpid()
        order.append("harness" if own else "cpu")
        seconds[own] += HARNESS_S if own else GENERATOR_S / 2  # the process is read twice: as arm and as generator
        return Usage({pid: seconds[own]})

    def read_machine() -> Machine:
        ticks[0] += 2.0 * os.sysconf("SC_CLK_TCK")
        return Machine(total=ticks[0], busy=ticks[0] / 2, steal=0.0)

    def read_owners(_ports: Iterable[int], _pids: Iterable[int]) -> Mapping[int, int]:
        order.append("sockets")
        return {40001: 7}

    monkeypatch.setattr(usage, "usage", read_usage)
    monkeypatch.setattr(usage, "machine", read_machine)
    monkeypatch.setattr(connections, "connection_owners", read_owners)
    return order


def observe(process: Process, workers: int = 2) -> Observation:
    """One slice of an arm of so many workers."""
    arm = factories.arm("p1b", workers=workers)
    observer = Observer({"p1b": Launched(arm, process, port=8000)}, Services())
    for name in ("started", "opened", "closed", "drained"):
        observer(Event(event=name, arm="p1b"), process)
    return observer.observations["p1b", 0]


def test_the_servers_cpu_is_read_before_its_sockets(process: Process, looks: list[str]) -> None:
    """Otherwise what it uses while they are looked up would be missing from the slice."""
    observation = observe(process)
    assert looks.index("cpu") < looks.index("sockets")
    assert observation.owners == {40001: 7}


def test_what_the_harness_itself_uses_is_not_the_load_of_others(process: Process, looks: list[str]) -> None:
    """Of the second that was used, what is left after arm, generator and harness."""
    observation = observe(process)
    assert "harness" in looks
    ours = 2 * GENERATOR_S + HARNESS_S  # as arm and as generator
    assert observation.outside_fraction == pytest.approx((1.0 - ours) / 2.0)


def test_a_generator_in_a_container_of_this_machine_is_not_the_load_of_others(
    process: Process, looks: list[str]
) -> None:
    """Its clock is ours. One with another clock uses the CPU of its own machine."""
    seen = observe(process)
    assert "harness" in looks
    assert seen.outside_fraction is not None
    here = SliceShare(generator=1, connections=8, requests=9, cpu_percent=40, waiting_fraction=0, cpu_s=0.1)
    there = replace(here, generator=2, clock_offset_us=-7e6)
    plan = factories.plan(machines=(machines.Machine(host="ten"), machines.Machine(host="eleven")), generators=2)
    assert seen.knowing([here, there], plan).outside_fraction == pytest.approx(seen.outside_fraction - 0.1 / 2.0)
    assert seen.knowing([replace(here, cpu_s=9.0)], plan).outside_fraction == 0.0
    unseen = replace(seen, outside_fraction=None)
    assert unseen.knowing([here], plan) == unseen
    assert seen.knowing([here], replace(plan, machines=())) == seen  # a process of ours, and counted as such
    assert seen.knowing([here], replace(plan, server=machines.Machine(host="twelve"))) == seen  # whose CPUs those were


def test_one_worker_holds_every_connection(process: Process, looks: list[str]) -> None:
    """There is nothing to look up."""
    assert observe(process, workers=1).owners is None
    assert "sockets" not in looks


def test_memory_is_read_when_the_slice_is_over(process: Process) -> None:
    """It takes milliseconds, and would cost them inside the window."""
    observation = observe(process)
    assert observation.memory is not None
    assert observation.memory.pss > 0
    assert observation.grown_bytes is not None
    assert (observation.processes, observation.threads) == (1, 1)


def test_the_warm_up_is_not_observed(process: Process) -> None:
    """It has no round."""
    observer = Observer({"p1b": Launched(factories.arm("p1b"), process, port=8000)}, Services())
    for name in ("started", "opened", "closed", "drained"):
        observer(Event(event=name, arm="p1b", round=-1), process)
    assert observer.observations == {}
