"""What a page tells of how it was measured."""

from __future__ import annotations

from dataclasses import replace

from harness import units
from harness.record import GeneratorShare
from harness.report.facts import method, shared
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
    assert shared(alone) == {}
    assert not any("generators" in paragraph for paragraph in method(alone))
    several = study_of(
        factories.run(factories.plan(generators=2), tuple(replace(trial, generators=(one, two)) for trial in trials))
    )
    told = {name: fact.replace(units.THIN, " ") for name, fact in shared(several).items()}
    assert told == {
        "generator 1": "75 % of the requests, at most 20 % of a core, waited for it at most 1 % of a slice, "
        "its clock known to 0 µs",
        "generator 2": "25 % of the requests, at most 70 % of a core, waited for it at most 3 % of a slice, "
        "lateness p99 at most 250 µs, its clock known to 120 µs",
    }
    assert any(
        "2 generators shared the connections and the arrivals of each slice." in each for each in method(several)
    )
