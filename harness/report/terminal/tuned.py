"""What tune tried, as a table in a terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table

from harness.report.figures.rows import HEADINGS, briefly_of, of_candidate, of_rate_row
from harness.report.words import interval
from harness.tune.rate.answer import RateAnswer
from harness.tune.recommendation import Recommendation

STYLES = {"recommended": "bold blue", "tie": "", "holds": ""}


def tried(answer: Recommendation) -> Table:
    """Every setting that was measured: under the rate that was asked for, or for its throughput."""
    return _under(answer.rate) if answer.rate else _candidates(answer)


def _under(rate: RateAnswer) -> Table:
    metrics = briefly_of(rate.rows)
    table = _table("workers", "threads", "blocks held", *(HEADINGS[metric] for metric in metrics))
    for row in rate.rows:
        figures = (interval(of_rate_row(row, metric)) for metric in metrics)
        votes = f"{row.held} of {row.held + row.missed}"
        style = STYLES.get(row.standing, "dim")
        table.add_row(f"{row.workers}", f"{row.threads}", votes, *figures, row.standing, style=style)
    return table


def _candidates(answer: Recommendation) -> Table:
    metrics = briefly_of(answer.candidates)
    table = _table("workers", "threads", *(HEADINGS[metric] for metric in metrics))
    for row in answer.candidates:
        figures = (interval(of_candidate(row, metric)) for metric in metrics)
        style = STYLES.get(row.standing, "dim")
        table.add_row(f"{row.workers}", f"{row.threads}", *figures, row.standing, style=style)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column("standing")
    return table
