"""What a page tells of how it was measured."""

from __future__ import annotations

from dataclasses import replace

from harness import units
from harness.record import GeneratorShare
from harness.report.facts import GENERATORS, method, shared
from harness.spec.machines import Machine
from tests import factories
from tests.report.report_support import study_of


def test_several_generators_are_told_apart() -> None:
    """By what each drove, and the worst of what it had; an only one is not spoken of."""
    one = GeneratorShare(generator=1, connections=8, requests=300, cpu_percent=20.0, waiting_fraction=0.01)
    two = GeneratorShare(
        generator=2,
        connections=8,
        requests=100,
        cpu_percent=70.0,
        waiting_fraction=0.03,
        lateness_p99_us=250.0,
        clock_bound_us=120.0,
    )
    trials = (factories.trial(), factories.trial(block=1))
    alone = study_of(factories.run(trials=trials))
    assert shared(alone) == []
    assert not any("generators" in paragraph for paragraph in method(alone))
    together = tuple(replace(trial, generators=(one, two)) for trial in trials)
    several = study_of(factories.run(factories.plan(generators=2), together))
    told = [tuple(fact.replace(units.THIN, " ") for fact in row) for row in shared(several)]
    assert told == [
        ("1", "75 %", "20 %", "1 %", units.MISSING, "0 µs"),
        ("2", "25 %", "70 %", "3 %", "250 µs", "120 µs"),
    ]
    assert {len(row) for row in told} == {len(GENERATORS)}
    shared_by = "2 generators shared the connections and the arrivals of each slice."
    assert any(shared_by in paragraph for paragraph in method(several))


def test_generators_on_other_machines_are_told_with_these() -> None:
    """In their turns."""
    shares = tuple(
        GeneratorShare(generator=number, connections=2, requests=100, cpu_percent=20.0, waiting_fraction=0.01)
        for number in (1, 2, 3)
    )
    machines = (Machine(host="ten", user="bench"), Machine(host="eleven"))
    plan = factories.plan(generators=3, machines=machines)
    study = study_of(factories.run(plan, (replace(factories.trial(), generators=shares),)))
    assert [row[0] for row in shared(study)] == ["1 on bench@ten", "2 on eleven", "3 on bench@ten"]
    told = "3 generators on bench@ten and eleven shared the connections and the arrivals of each slice."
    assert any(told in paragraph for paragraph in method(study))
    alone = study_of(factories.run(replace(plan, generators=1, machines=machines[:1])))
    assert any("1 generator on bench@ten drove" in paragraph for paragraph in method(alone))
