"""A drawn figure as inline SVG: the page's colours and fonts, marks that can be pointed at and focused, no title."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from harness.report import style
from harness.report.charts.base import Drawing

POINTS = 72
FONT = re.compile(r"font: ([^;\"]*?)'?[A-Z][^;\"]*(?=[;\"])")


@dataclass(frozen=True, slots=True)
class Embedded:
    """What goes into the page."""

    svg: Markup


def embed(name: str, drawing: Drawing, light_svg: str) -> Embedded:
    """The light SVG as it goes inline; `name` keeps its ids apart from those of other charts."""
    text = light_svg[light_svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    width, height = (inches * POINTS for inches in drawing.figure.get_size_inches())
    crop = drawing.header * POINTS
    opening = f'<svg class="drawing" viewBox="0 {crop:.1f} {width:.1f} {height - crop:.1f}" role="group" '
    opening += 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" aria-hidden="false">'
    text = re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
    for identity, mark in drawing.marks.items():
        says = escape(mark.says)
        attributes = f'class="mark" tabindex="-1" role="img" aria-label="{says}" data-arms="{escape(" ".join(mark.arms))}"'
        text = text.replace(f'<g id="{identity}">', f"<g {attributes}>")
    text = _namespaced(style.themed(text), re.sub(r"[^a-zA-Z0-9-]", "-", name))
    return Embedded(Markup(re.sub(r"\n\s*", "\n", text)))  # noqa: S704 - drawn by matplotlib, which escapes its text


def _namespaced(text: str, name: str) -> str:
    """Ids that are referred to get the chart's name in front; the others go."""
    used = set(re.findall(r"(?:url\(#|xlink:href=\"#)([^)\"]+)", text))

    def identity(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]+)"', identity, text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    return re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{name}-\1"', text)
