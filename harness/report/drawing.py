"""Every chart of a run as files, and as what goes into its page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markupsafe import Markup

from harness.record import durable
from harness.report import style
from harness.report.charts.base import Chart
from harness.report.charts.marks import Drawing, Mark
from harness.report.halves import shared
from harness.report.slugs import slugs
from harness.report.templating import attributes_of

POINTS = 72
MANY = 32
"""Of a run with more charts only those of the run as a whole get a PNG."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart, the stem of its files (and its anchor), its inline SVG, and the content of its files by name."""

    chart: Chart
    stem: str
    svg: Markup
    files: dict[str, bytes]


def draw(charts: Sequence[Chart], *, png: bool = True) -> list[Drawn]:
    """Draw `charts`.

    Of each an SVG, light and dark, and with `png` a PNG; a dark PNG of those fit for a README. PNGs take most of the
    time: of a run with very many charts only those of the run as a whole are made.
    """
    stems = slugs(chart.name for chart in charts)
    few = len(charts) <= MANY

    def drawn(number: int) -> tuple[Markup, dict[str, bytes]]:
        chart = charts[number]
        return _one(chart, stems[chart.name], png=png and (few or chart.scenario is None))

    made = shared(drawn, len(charts))
    return [Drawn(chart, stems[chart.name], *each) for chart, each in zip(charts, made, strict=True)]


def keep(drawn: Sequence[Drawn], folder: Path) -> None:
    """Write the files of `drawn` into `folder`, and only then remove what an earlier report left there."""
    durable.make_folder(folder, exist_ok=True)
    files = {name: content for each in drawn for name, content in each.files.items()}
    for name, content in files.items():
        durable.replace(folder / name, content)
    for old in (*folder.glob("*.svg"), *folder.glob("*.png")):
        if old.name not in files:
            old.unlink()


def _one(chart: Chart, stem: str, *, png: bool) -> tuple[Markup, dict[str, bytes]]:
    """The inline SVG and the files of a chart."""
    files = {}
    with style.styled(style.LIGHT) as theme:
        drawing = chart.draw(theme)
        text = style.svg(drawing.figure)
        if png:
            files[f"{stem}.png"] = style.png(drawing.figure)
    files[f"{stem}.svg"] = text.encode()
    files[f"{stem}-dark.svg"] = style.dark(text).encode()
    if png and chart.quotable:
        with style.styled(style.DARK) as theme:
            files[f"{stem}-dark.png"] = style.png(chart.draw(theme).figure)
    return inline(stem, drawing, text), files


def inline(stem: str, drawing: Drawing, light: str) -> Markup:
    """The light SVG for a page: in the page's colours and fonts, marks that can be pointed at, no title.

    `stem` keeps its ids apart from those of the charts beside it.
    """
    text = re.sub(r"<metadata>.*?</metadata>", "", light[light.index("<svg") :], flags=re.DOTALL)
    width, height = (inches * POINTS for inches in drawing.figure.get_size_inches())
    crop = drawing.header * POINTS
    opening = (
        f'<svg class="drawing" viewBox="0 {crop:.1f} {width:.1f} {height - crop:.1f}" role="presentation" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    text = re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
    for name, marks in drawing.marks.items():
        if marks:  # matplotlib leaves out what has no point to draw
            text = _answering(text, name, marks)
    text = _apart(style.themed(text), stem)
    return Markup(re.sub(r"\n\s*", "\n", text))  # noqa: S704 - drawn by matplotlib, which escapes its text


def _answering(text: str, name: str, marks: tuple[Mark, ...]) -> str:
    """Give the SVG group `name` its mark; where it has several, give one to each of its markers."""
    begin = text.index(f'<g id="{name}">')
    if len(marks) == 1:
        return text[:begin] + f"<g {_attributes(marks[0])}>" + text[text.index(">", begin) + 1 :]
    head, *uses = re.split(r"(?=<use )", text[begin:], maxsplit=len(marks))
    last, end = re.split(r"(?<=/>)", uses[-1], maxsplit=1)
    each = [f"<g {_attributes(mark)}>{use.strip()}</g>" for mark, use in zip(marks, [*uses[:-1], last], strict=True)]
    return text[:begin] + head + "".join(each) + end


def _attributes(mark: Mark) -> str:
    attributes = {"class": "mark", "tabindex": "-1", "role": "img", "aria-label": mark.says, "data-arms": mark.arm}
    exactly = attributes_of(mark.value) if mark.value is not None else {}
    attributes |= {f"data-{name}": value for name, value in exactly.items()}
    return " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())


def _apart(text: str, stem: str) -> str:
    """Put `stem` before each id that the SVG refers to, and take the other ids out."""
    used = set(re.findall(r"(?:url\(#|xlink:href=\"#)([^)\"]+)", text))

    def identity(match: re.Match[str]) -> str:
        return f' id="{stem}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]+)"', identity, text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{stem}-\1)", text)
    return re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{stem}-\1"', text)
