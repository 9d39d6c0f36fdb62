"""What a slice that is over showed, in the words of `harness.spec`."""

from __future__ import annotations

from collections.abc import Sequence

from harness.spec import Arm, Slice
from loadtests.engine.load import Load
from loadtests.engine.open import Open
from loadtests.engine.selfcheck import SelfCheck

_STARVED = 0.1
"""Share of a fair share of the answers under which a connection starves."""
_TELLING = 20
"""Answers of a fair share from which that is no chance: where 20 are expected, under two come once in 20 million."""


def measured(arm: Arm, number: int, load: Load, check: SelfCheck, *, histograms: bool) -> Slice:
    """What the window of a slice that is drained and closed showed."""
    recorder, window = load.recorder, load.recorder.window
    opened = isinstance(load, Open)
    errors = recorder.error_kinds.total()
    good = float(recorder.fractions.sum())
    mean_ns = recorder.mean_latency_ns
    first, second = (2 * recorder.fractions / window.length_s).tolist()
    return Slice(
        arm=arm.name,
        round=number,
        start_ns=window.start_ns,
        length_s=window.length_s,
        requests=recorder.good + errors,
        good=good,
        errors=errors,
        error_kinds=dict(recorder.error_kinds),
        throughput_rps=good / window.length_s,
        half_rps=(first, second),
        in_flight=recorder.in_flight,
        mean_latency_us=None if mean_ns is None else mean_ns / 1000,
        connects=recorder.connects,
        reconnects=recorder.reconnects,
        scheduled=recorder.scheduled if opened else None,
        done=recorder.good if opened else None,
        dropped=recorder.dropped,
        offered_rps=recorder.scheduled / window.length_s if opened else None,
        stalls=recorder.stalls if opened else None,
        stalled_s=recorder.stalled_s if opened else None,
        starved=None if opened else starved([sum(n for _, n in one.ports) for one in load.connections]),
        latency=recorder.latency.encode() if histograms else None,
        service=recorder.service.encode() if histograms and opened else None,
        lateness=recorder.lateness.encode() if histograms and opened else None,
        ports=tuple(port for connection in load.connections for port in connection.ports),
        generator=check.verdict(recorder.lateness, recorder.latency) if opened else check.verdict(),
    )


def starved(answers: Sequence[int]) -> int:
    """How many connections starve, by the answers of each while kept alive; 0 where those are too few to tell."""
    fair = sum(answers) / len(answers)
    return sum(one < _STARVED * fair for one in answers) if fair >= _TELLING else 0
