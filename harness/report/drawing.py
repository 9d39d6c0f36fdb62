"""Every chart of a run as files, and as what goes into its page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markupsafe import Markup

from harness.report import style
from harness.report.charts.base import Chart, Drawing
from harness.report.slugs import slugs

POINTS = 72


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart, the stem of its files (and its anchor), and its inline SVG."""

    chart: Chart
    stem: str
    svg: Markup


def draw(charts: Sequence[Chart], folder: Path) -> list[Drawn]:
    """Draw `charts` into `folder`, in place of what an earlier report left there.

    SVG light and dark, PNG light; a dark PNG, which must be drawn anew, only of those fit for a README.
    """
    folder.mkdir(exist_ok=True)
    for old in (*folder.glob("*.svg"), *folder.glob("*.png")):
        old.unlink()
    stems = slugs(chart.name for chart in charts)
    return [_one(chart, stems[chart.name], folder) for chart in charts]


def _one(chart: Chart, stem: str, folder: Path) -> Drawn:
    with style.styled(style.LIGHT) as theme:
        drawing = chart.draw(theme)
        light = style.svg(drawing.figure)
        (folder / f"{stem}.png").write_bytes(style.png(drawing.figure))
    (folder / f"{stem}.svg").write_text(light, encoding="utf-8")
    (folder / f"{stem}-dark.svg").write_text(style.dark(light), encoding="utf-8")
    if chart.quotable:
        with style.styled(style.DARK) as theme:
            (folder / f"{stem}-dark.png").write_bytes(style.png(chart.draw(theme).figure))
    return Drawn(chart, stem, inline(stem, drawing, light))


def inline(stem: str, drawing: Drawing, light: str) -> Markup:
    """The light SVG for a page: in the page's colours and fonts, marks that can be pointed at, no title.

    `stem` keeps its ids apart from those of other charts.
    """
    text = re.sub(r"<metadata>.*?</metadata>", "", light[light.index("<svg") :], flags=re.DOTALL)
    width, height = (inches * POINTS for inches in drawing.figure.get_size_inches())
    crop = drawing.header * POINTS
    opening = (
        f'<svg class="drawing" viewBox="0 {crop:.1f} {width:.1f} {height - crop:.1f}" role="presentation" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    text = re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
    for name, mark in drawing.marks.items():
        label, arms = escape(mark.says), escape(" ".join(mark.arms))
        attributes = f'class="mark" tabindex="-1" role="img" aria-label="{label}" data-arms="{arms}"'
        text = text.replace(f'<g id="{name}">', f"<g {attributes}>")
    text = _apart(style.themed(text), stem)
    return Markup(re.sub(r"\n\s*", "\n", text))  # noqa: S704 - drawn by matplotlib, which escapes its text


def _apart(text: str, stem: str) -> str:
    """Ids that are referred to get the chart's name in front; the others go."""
    used = set(re.findall(r"(?:url\(#|xlink:href=\"#)([^)\"]+)", text))

    def identity(match: re.Match[str]) -> str:
        return f' id="{stem}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]+)"', identity, text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{stem}-\1)", text)
    return re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{stem}-\1"', text)
