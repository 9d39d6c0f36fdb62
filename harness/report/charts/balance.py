"""Requests by worker: what looks like poor scaling may be poor sharing."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator

from harness import units
from harness.report.charts.base import PAD, WIDTH, Chart, Row
from harness.report.charts.marks import Drawing, Mark
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study
from harness.report.words import called, condition, shorten, shown
from harness.suite import Arm
from harness.units import plural

ROW, LEFT, RIGHT, BELOW = 0.46, 3.6, 1.2, 0.5
BAR = 0.56


def balance(study: Study) -> Chart | None:
    """The share of each worker, for every arm with several."""
    shares = {arm.id: ranked for arm in study.arms.values() if (ranked := shares_of(study, arm))}
    if not shares:
        return None
    return Chart(
        name="workers-share",
        title=_title(study, shares),
        note="Share of the answers by worker process under closed load, the busiest first, mean over blocks. "
        "Lines: an even split.",
        body=ROW * len(shares) + BELOW,
        paint=lambda drawing: _paint(drawing, study, shares),
        quotable=True,
        columns=("scenario", "condition", "arm", "busiest", "even", "shares"),
        rows=tuple(_row(study, study.arms[arm], ranked) for arm, ranked in shares.items()),
        arms=tuple(shares),
    )


def shares_of(study: Study, arm: Arm) -> list[float]:
    """Mean share of the busiest worker, of the next, and so on; empty for an arm with one worker."""
    ranked = [sorted(trial.worker_shares.values(), reverse=True) for trial in study.used(arm.id, "closed")]
    most = max(map(len, ranked), default=0)
    if arm.cell.workers == 1 or most < 1:
        return []
    padded = [row + [0.0] * (max(most, arm.cell.workers) - len(row)) for row in ranked if row]
    return [sum(column) / len(padded) for column in zip(*padded, strict=True)]


def _row(study: Study, arm: Arm, shares: Sequence[float]) -> Row:
    words = " · ".join(map(units.percent, shares))
    even = units.percent(1 / arm.cell.workers)
    return shown(arm.cell.scenario), condition(study, arm), called(study, arm), units.percent(shares[0]), even, words


def _title(study: Study, shares: dict[str, list[float]]) -> str:
    worst = max(shares, key=lambda arm: shares[arm][0] * study.arms[arm].cell.workers)
    arm = study.arms[worst]
    even = 1 / arm.cell.workers
    return (
        f"The busiest of {plural(arm.cell.workers, 'worker')} takes at most {units.percent(shares[worst][0])} where "
        f"{units.percent(even)} would be even ({shown(arm.cell.scenario)}, {called(study, arm)})"
    )


def _paint(drawing: Drawing, study: Study, shares: dict[str, list[float]]) -> None:
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, ROW * len(shares))
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, len(shares) - 0.5)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MultipleLocator(0.25))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: units.percent(x)))
    axes.set_xlabel("share of the answers")
    for index, (arm, ranked) in enumerate(shares.items()):
        _arm(drawing, axes, study, study.arms[arm], ranked, len(shares) - 1 - index)


def _arm(drawing: Drawing, axes: Axes, study: Study, arm: Arm, shares: list[float], y: int) -> None:
    theme, side = drawing.theme, axes.get_yaxis_transform()
    left = (PAD - LEFT) / (WIDTH - LEFT - RIGHT)
    colour = colour_of(study, arm, drawing)
    head = f"{shown(arm.cell.scenario)}, {condition(study, arm)}"
    axes.text(left, y + 0.17, shorten(head, 52), fontweight="bold", fontsize=9, va="center", transform=side)
    axes.text(left, y - 0.17, shorten(called(study, arm), 44), color=colour, fontsize=8.5, va="center", transform=side)
    start = 0.0
    for rank, share in enumerate(shares, 1):
        bar = axes.barh(
            [y],
            [share],
            left=start,
            height=BAR,
            color=colour,
            edgecolor=theme.paper,
            lw=1.5,
            alpha=1 - 0.55 * (rank - 1) / max(len(shares), 2),
        )
        drawing.mark(
            bar.patches[0], Mark(f"{head}, {called(study, arm)}, worker {rank}: {units.percent(share)}", arm.id)
        )
        start += share
    for part in range(1, arm.cell.workers):
        x = part / arm.cell.workers
        axes.plot([x, x], [y - BAR / 2 - 0.09, y + BAR / 2 + 0.09], color=theme.ink, lw=1)
    words = f"{units.percent(shares[0])} busiest"
    axes.text(1.02, y, words, fontsize=9, va="center", transform=side)
