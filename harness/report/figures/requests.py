"""What each request of a mix came to, as values: rows of summary.csv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.judge.metrics import histogram, latency_name
from harness.record import RequestRow, Trial
from harness.report.figures.value import NOTHING, Figures, Value, average
from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, resolved
from harness.suite import Arm, Phase


def of_requests(arm: Arm, phase: Phase, used: Sequence[Trial]) -> Iterator[Value]:
    """Share, throughput and percentiles of each request of an arm under a mix, over the trials that are `used`."""
    for asked in arm.scenario.mix:
        rows = [row for trial in used for row in trial.by_request if row.name == asked.name]
        shares = [row.share for row in rows if row.share is not None]
        rates = [row.throughput_rps for row in rows if row.throughput_rps is not None]
        figures: dict[str, tuple[str, Figures]] = {
            "share": ("1", average(shares, logarithmic=False)),
            "throughput_rps": ("1/s", average(rates)),
            **{latency_name(name, phase): ("us", _percentile(rows, name)) for name in QUANTILES},
        }
        for metric, (unit, (value, low, high)) in figures.items():
            if value is not None:
                yield Value(
                    kind="request",
                    id=request_id(arm.id, asked.name),
                    scenario=arm.cell.scenario,
                    request=asked.name,
                    interface=arm.cell.interface,
                    target=arm.cell.target,
                    server=arm.cell.server,
                    levels={"workers": arm.cell.workers, "threads": arm.cell.threads, **dict(arm.cell.levels)},
                    connections=arm.connections,
                    load=phase,
                    rate_rps=used[0].load.rate_rps,
                    metric=metric,
                    unit=unit,
                    value=value,
                    low=low,
                    high=high,
                    blocks=len(rows),
                    blocks_measured=len(used),
                )


def request_id(arm: str, name: str) -> str:
    """The id of a request's values."""
    return f"{arm} {name}"


def _percentile(rows: Sequence[RequestRow], name: str) -> Figures:
    """Over blocks where each resolves it, else of all blocks together, without an interval."""
    known = [value for row in rows if row.latency_us and (value := getattr(row.latency_us, name)) is not None]
    if known and len(known) == len(rows):
        return average(known)
    texts = [row.histogram for row in rows if row.histogram]
    return (resolved(Histogram.merged(map(histogram, texts)), QUANTILES[name]), None, None) if texts else NOTHING
