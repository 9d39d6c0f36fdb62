"""Makes a `harness.spec.Slice` of a slice that is over."""

from __future__ import annotations

from harness.spec import DrivenArm, Slice
from loadtests.engine.driver import Driver
from loadtests.engine.selfcheck import SelfCheck


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
