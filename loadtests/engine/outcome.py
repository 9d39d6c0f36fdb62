"""Makes a `harness.spec.Slice` of a slice that is over, and what several of them need to become one."""

from __future__ import annotations

from dataclasses import dataclass

from harness.spec import STRICT, DrivenArm, Slice
from loadtests.engine.driver import Driver
from loadtests.engine.selfcheck import SelfCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the slice of one of several generators is merged by, beside its `Slice`."""

    __pydantic_config__ = STRICT

    latency_ns: int
    """Sum of the response times of the window's good answers."""
    by_connection: tuple[int, ...]
    """Answers of the whole slice over each connection."""
    answered_ns: tuple[int, int] | None
    """When the first good answer of the slice came, and the last; None without any."""
    gaps_ns: tuple[tuple[int, int], ...] = ()
    """Times between two good answers that may be part of a stall, from and to."""


def part(driver: Driver) -> Part:
    """The part of a drained slice."""
    recorder = driver.recorder
    return Part(
        latency_ns=recorder.latency_ns,
        by_connection=tuple(driver.answers()),
        answered_ns=recorder.answered_ns,
        gaps_ns=tuple(recorder.gaps),
    )


def measured(arm: DrivenArm, number: int, driver: Driver, check: SelfCheck, *, histograms: bool) -> Slice:
    """What the window of a drained slice showed; without `histograms` only its counts."""
    recorder, window = driver.recorder, driver.recorder.window
    errors = recorder.error_kinds.total()
    keeper = recorder.keeper
    good = float(recorder.fractions.sum())
    mean_ns = recorder.mean_latency_ns
    first_rps, second_rps = (2 * recorder.fractions / window.length_s).tolist()
    figures = driver.figures() | {"latency": recorder.latency.encode()}
    if not histograms:
        figures = {name: value for name, value in figures.items() if name not in ("latency", "service", "lateness")}
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
        half_rps=(first_rps, second_rps),
        in_flight=recorder.in_flight,
        mean_latency_us=None if mean_ns is None else mean_ns / 1000,
        connects=recorder.connects,
        reconnects=recorder.reconnects,
        dropped=recorder.dropped,
        fates=keeper.fates(window.start_ns, window.end_ns).encode() if keeper is not None else None,
        ports=tuple(port for connection in driver.connections for port in connection.ports),
        by_request=recorder.by_request(histograms=histograms),
        generator=driver.judge(check),
        **figures,
    )
