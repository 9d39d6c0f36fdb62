"""The templates' environment: every name is escaped, a variable that is missing is an error."""

from __future__ import annotations

import math
import shlex
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from harness import units
from harness.report import style, words
from harness.report.figures import Value

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **context: object) -> str:
    """A page, self-contained."""
    return _environment().get_template(template).render(context)


def exact(number: float | None) -> str:
    """A number as summary.csv and `--json` have it; empty where there is none."""
    return "" if number is None or not math.isfinite(number) else repr(float(number))


def attributes_of(value: Value) -> dict[str, str]:
    """What an element that shows a value carries, as `data-` attributes: where it is from, and what it is exactly."""
    return {
        "key": value.key,
        "value": exact(value.value),
        "low": exact(value.low),
        "high": exact(value.high),
        "blocks": str(value.blocks),
    }


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        units=units,
        words=words,
        exact=exact,
        attributes_of=attributes_of,
        is_value=lambda cell: isinstance(cell, Value),
        css=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        js=Markup((TEMPLATES / "script.js").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        light=style.properties(style.LIGHT),
        dark=style.properties(style.DARK),
    )
    environment.filters.update(interval=words.interval, shown=words.shown, shell=shlex.join)
    return environment
