"""When the server of a search is launched afresh."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.tune import live
from harness.tune.candidates import Candidate
from harness.tune.live import Live
from harness.tune.next_rate import Try
from harness.tune.trials import RateTrial
from tests import factories


class Stage:
    """Stands for the bench: services that heal when asked to, and a server that lives until it is killed."""

    def __init__(self) -> None:
        self.healed = False
        self.alive = True
        self.launches = 0
        self.services = SimpleNamespace(heal=self.heal)

    def heal(self) -> bool:
        """Whether a service was started afresh since the last call."""
        healed, self.healed = self.healed, False
        return healed

    def launch(self, *_: Any) -> Any:
        """A server that lives."""
        self.alive = True
        self.launches += 1
        return SimpleNamespace(server=SimpleNamespace(process=SimpleNamespace(alive=lambda: self.alive)))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage on which nothing is measured."""
    made = Stage()
    judged = RateTrial(rate_rps=1.0, planned_s=1.0, start_s=0.0, took_s=0.0, outcome="held")
    monkeypatch.setattr(Live, "_launched", lambda _self, _group, _stack: made.launch())
    monkeypatch.setattr(Live, "_group", lambda _self, _arms: None)
    monkeypatch.setattr(Live, "_offered", lambda *_: None)
    monkeypatch.setattr(Live, "_judged", lambda *_: judged)
    monkeypatch.setattr(live, "own_words", lambda *_: None)
    made.plan = SimpleNamespace(factors=())  # type: ignore[attr-defined]
    return made


def launches(stage: Stage, *, strikes: dict[int, str], trials: int) -> list[int]:
    """The number of the launch of each trial; before a trial something may strike."""
    nothing: Any = Path()
    lively = Live(factories.arm(), stage, nothing)  # type: ignore[arg-type]
    numbers = []
    with contextlib.ExitStack() as stack:
        offer = stack.enter_context(lively.searching(Candidate(1, 1), 100.0, 4))
        for trial in range(trials):
            if strikes.get(trial) == "service":
                stage.healed = True
            if strikes.get(trial) == "server":
                stage.alive = False
            numbers.append(offer(Try(rate_rps=1.0, up_to_s=1.0, queue=1, stops=(), near_edge=False)).launch)
    return numbers


def test_the_server_of_a_search_is_launched_afresh_after_ten_trials(stage: Stage) -> None:
    """So that no single launch decides."""
    assert launches(stage, strikes={}, trials=21) == [0] * 10 + [1] * 10 + [2]


def test_it_is_launched_afresh_when_a_trial_asks_for_it(stage: Stage) -> None:
    """For launches scatter."""
    nothing: Any = Path()
    lively = Live(factories.arm(), stage, nothing)  # type: ignore[arg-type]
    step = Try(rate_rps=1.0, up_to_s=1.0, queue=1, stops=(), near_edge=False)
    with lively.searching(Candidate(1, 1), 100.0, 4) as offer:
        numbers = [offer(replace(step, afresh=afresh)).launch for afresh in (True, False, True, False)]
    assert numbers == [0, 0, 1, 1]


def test_it_is_launched_afresh_when_it_or_a_service_died(stage: Stage) -> None:
    """What was launched before knows the old address of the service."""
    assert launches(stage, strikes={1: "server", 3: "service"}, trials=4) == [0, 1, 1, 2]
    assert stage.launches == 3
