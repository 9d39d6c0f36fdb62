"""report.html: one self-contained file that needs neither network nor server."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness import units
from harness.report import style, words
from harness.report.charts.base import Chart
from harness.report.embed import Embedded
from harness.report.study import Study
from harness.report.values import Value

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> jinja2.Environment:
    """Templates in which every name is escaped, and every missing variable an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        units=units,
        words=words,
        is_value=lambda cell: isinstance(cell, Value),
        exact=exact,
        css=Markup((TEMPLATES / "style.css").read_text()),  # noqa: S704 - our own file
        js=Markup((TEMPLATES / "script.js").read_text()),  # noqa: S704 - our own file
        light=style.properties(style.LIGHT),
        dark=style.properties(style.DARK),
    )
    made.filters["interval"] = words.interval
    made.filters["shown"] = words.shown
    return made


def exact(number: float | None) -> str:
    """A number as summary.csv and `--json` have it."""
    return "" if number is None or not math.isfinite(number) else repr(float(number))


def report(study: Study, charts: list[tuple[Chart, Embedded]]) -> str:
    """The page."""
    info = study.run.info
    scenarios = {study.arms[pair.a].scenario.name: study.arms[pair.a].scenario for pair in study.pairs.values()}
    context: dict[str, Any] = {
        "study": study,
        "info": info,
        "answers": [
            (pair, words.sentence(study, pair)) for pair, p in study.pairs.items() if not p.null and study.verdict(pair)
        ],
        "scenarios": scenarios,
        "overview": [one for one in charts if one[0].scenario is None],
        "by_scenario": {name: [one for one in charts if one[0].scenario == name] for name in scenarios},
        "doubtful": [t for t in study.run.trials if not t.valid],
    }
    return environment().get_template("report.html.j2").render(context)
