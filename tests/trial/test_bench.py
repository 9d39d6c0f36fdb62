"""What the first blocks fix for the rest of a run: rates, and response times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness import record, spec
from harness.machine.placement import Placement
from harness.record import Trial, conditions
from harness.subject import services
from harness.subject.services import Services
from harness.suite import Arm, Group
from harness.trial import order, phase
from harness.trial.bench import OPEN_SHARE, Bench, GroupState, Rates, opened, resume
from harness.trial.progress import Silent
from harness.trial.serving import Serving
from tests import factories

ALIVE, DEAD = ("p1a", "p1b"), ("p2a", "p2b")


def group() -> Group:
    """Two pairs, driven closed and then openly at a derived rate."""
    arms = [factories.flask_arm(name) if name.endswith("a") else factories.arm(name) for name in (*ALIVE, *DEAD)]
    return factories.in_phases(factories.group(*arms), "closed", "open")


def closed_trial(name: str, rps: float, block: int = 0) -> Trial:
    """A closed trial of that arm at that throughput."""
    arm = next(arm for arm in group().arms if arm.id == name)
    return factories.trial(arm, rps=rps, block=block)


def test_a_derived_rate_is_a_share_of_the_slower_arms_capacity_and_is_kept() -> None:
    """The first block that shows it fixes it; a faster second block changes nothing."""
    state = GroupState(group())
    assert state.rates.of(group().arm("p1a")) is None
    state.keep([closed_trial("p1a", 1000.0), closed_trial("p1b", 400.0)])
    state.keep([closed_trial("p1a", 2000.0, block=1), closed_trial("p1b", 2000.0, block=1)])
    assert state.rates.of(group().arm("p1a")) == state.rates.of(group().arm("p1b")) == pytest.approx(OPEN_SHARE * 400)
    assert state.load(group().arm("p1a"), "open").rate_rps == pytest.approx(OPEN_SHARE * 400)


def test_histograms_are_not_kept_for_the_run() -> None:
    """They are most of a row, and are on disk."""
    state = GroupState(group())
    state.keep([replace(closed_trial("p1a", 1000.0), histogram="much")])
    assert [trial.histogram for trial in state.trials] == [None]


def test_a_rate_that_was_asked_for_is_offered() -> None:
    """Whatever the capacity is."""
    asked = factories.arm("p3b", rate_rps=25.0)
    rates = Rates()
    rates.derive([closed_trial("p1a", 1000.0)])
    assert rates.of(asked) == 25.0


def test_a_resumed_run_offers_what_it_offered_before() -> None:
    """An open trial on record has the rate, also where the capacities on record would give another."""
    opened = factories.trial(factories.arm("p1b", rate_rps=33.0), phase="open")
    state = resume(group(), [closed_trial("p1a", 1000.0), closed_trial("p1b", 1000.0), opened])
    assert state.rates.of(group().arm("p1a")) == 33.0


def test_a_warm_up_without_an_answer_fixes_no_response_time() -> None:
    """The next block's is learnt instead, and then kept."""
    state = GroupState(group())
    nothing = spec.Totals(arm="p1a", attempts=9, good=0, errors=9, connects=9, reconnects=0, response_s=None)
    state.learn([nothing])
    assert state.response_s == {}
    state.learn([replace(nothing, response_s=0.2)])
    state.learn([replace(nothing, response_s=0.9)])
    assert state.response_s == {"p1a": 0.2}


def test_a_pair_without_a_good_closed_answer_costs_its_own_open_phase_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arms have rows that say why; the other pair of the group is driven."""
    state = GroupState(group())
    state.keep([closed_trial("p1a", 1000.0), closed_trial("p1b", 400.0)])
    driven: list[str] = []

    def drive(*arguments: Any) -> list[Trial]:
        driven.extend(arm.id for arm in arguments[4])
        return []

    monkeypatch.setattr(phase, "_driven", drive)
    monkeypatch.setattr(phase, "phase_spec", lambda *_: None)
    serving = cast("dict[str, Serving]", dict.fromkeys((*ALIVE, *DEAD)))
    rows = phase.measure_phase(cast("Bench", None), state, 0, "open", serving)
    assert driven == list(ALIVE)
    assert [row.arm for row in rows] == list(DEAD)
    assert all(row.error is not None and row.error.startswith("no rate to offer") for row in rows)


def test_arms_without_pairs_get_the_same_arrivals_in_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the two of a pair do; another block has others."""
    alone = tuple(replace(factories.arm(name, rate_rps=50.0), pair=None) for name in ("t1", "t2"))
    bench = cast("Bench", SimpleNamespace(plan=factories.plan(group())))
    first, second = (SimpleNamespace(host="127.0.0.1", port=port) for port in (1, 2))
    first.each = (first, second)
    serving = cast("Serving", SimpleNamespace(server=first))
    state = GroupState(replace(group(), arms=alone, pairs=()))
    monkeypatch.setattr(order, "_asked", lambda *_: spec.Request())

    def seed(arm: Arm, block: int) -> int:
        driven = order.arm_spec(bench, state, block, arm, arm.loads[-1], serving)
        assert (driven.port, driven.further_ports) == (1, (2,)), "the load goes to every pod"
        return driven.arrivals_seed

    assert seed(alone[0], 3) == seed(alone[1], 3) != seed(alone[0], 4)


def test_the_version_of_a_server_is_not_taken_for_that_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package redis has a version of its own: a resumed run would be refused for the other."""

    @contextmanager
    def started(**_: object) -> Iterator[Services]:
        yield Services(redis_version="redis 7.0.15")

    monkeypatch.setattr(services, "started", started)
    info = replace(factories.run().info, versions={"redis": "8.1.0"})
    with (
        record.writing(tmp_path, info) as writer,
        opened(info.plan, [], Placement(**info.placement), writer, Silent(), {}),
    ):
        pass
    assert conditions.sittings(record.read_info(tmp_path))[0].versions == {
        "redis": "8.1.0",
        "redis-server": "redis 7.0.15",
    }
