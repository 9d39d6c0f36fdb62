"""How every chart looks: one palette, light and dark, told apart by any kind of colour vision.

Figures are made without pyplot, so that nothing global is touched: `figure` inside `styled`, nothing after it.
Each colour of the light theme is used for one role only, so that a drawn SVG is turned dark, or made to follow the
page's own theme, by exchanging colours in its text.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

FAMILY = "DejaVu Sans"
"""It comes with matplotlib and has most scripts: what fonts a machine has decides nothing about a chart."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role. Blue and orange stay apart for all common colour deficiencies (Okabe and Ito, 2008)."""

    paper: str
    ink: str
    muted: str
    """Secondary text."""
    line: str
    """Axes and rules."""
    grid: str
    a: str
    """Side a: WSGI or the baseline."""
    b: str
    """Side b: ASGI or what is judged."""
    a_soft: str
    b_soft: str
    neutral: str
    """Equivalent, or neither side."""
    band: str
    """The margin."""
    noise: str
    """What the A/A pair shows."""
    third: str
    """A third part of a whole."""


LIGHT = Theme(
    paper="#fffffe", ink="#1b2330", muted="#5a6575", line="#9aa4b1", grid="#e4e8ed",
    a="#c2560a", b="#0b62b8", a_soft="#f3c9a5", b_soft="#a9cdf0", neutral="#59636f",
    band="#eceff3", noise="#d5c8ec", third="#7c8794",
)  # fmt: skip
DARK = Theme(
    paper="#12171f", ink="#e8ecf2", muted="#a2adbb", line="#5d6876", grid="#262e3a",
    a="#f5964b", b="#62b0f8", a_soft="#7a4a22", b_soft="#25517d", neutral="#b4bec9",
    band="#1e2530", noise="#463a63", third="#8d99a8",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunLook:
    """How one of several runs is drawn: its colour in either theme, and its marker, which tells it apart as well."""

    light: str
    dark: str
    marker: str


RUNS = (
    RunLook("#1c6fb4", "#6fb4f2", "o"),
    RunLook("#c9600f", "#f5a05b", "s"),
    RunLook("#16855a", "#4ec792", "^"),
    RunLook("#8547ad", "#c08fe8", "D"),
    RunLook("#a5790a", "#dcb544", "v"),
    RunLook("#b82e75", "#f07fb6", "P"),
    RunLook("#2b8797", "#6fc9d8", "X"),
    RunLook("#6d5a48", "#bca88f", "*"),
)
"""By the number of the run; no more can be told apart."""

_ROLES = {getattr(LIGHT, field.name): field.name for field in fields(Theme)}
_ROLES |= {look.light: f"run_{number}" for number, look in enumerate(RUNS)}
_DARK = {field.name: getattr(DARK, field.name) for field in fields(Theme)}
_DARK |= {f"run_{number}": look.dark for number, look in enumerate(RUNS)}


@contextmanager
def styled(theme: Theme = LIGHT) -> Iterator[Theme]:
    """Draw in this style inside, whatever a matplotlibrc says; matplotlib's settings are as before afterwards."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(settings(theme))
        # A name in a script that no font here has is drawn as boxes in a PNG, and as itself in an SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield theme


def figure(width: float = 8.0, height: float = 4.5) -> Figure:
    """A figure of its own, in inches."""
    drawn = Figure(figsize=(width, height))
    FigureCanvasAgg(drawn)
    return drawn


def svg(drawn: Figure) -> str:
    """The figure as SVG whose text stays text and whose bytes depend on the figure alone."""
    target = io.StringIO()
    drawn.savefig(target, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return target.getvalue()


def png(drawn: Figure, dpi: int = 144) -> bytes:
    """The figure as PNG: sharp where it is shown at half its size."""
    target = io.BytesIO()
    drawn.savefig(target, format="png", dpi=dpi, metadata={"Software": None}, pil_kwargs={"compress_level": 3})
    return target.getvalue()


def dark(light_svg: str) -> str:
    """A light SVG in the dark theme's colours."""
    return _exchange(light_svg, lambda role: str(_DARK[role]))


def themed(light_svg: str) -> str:
    """A light SVG that takes its colours from the page's custom properties (`--c-ink` and so on)."""
    return _exchange(light_svg, lambda role: f"var(--c-{role.replace('_', '-')})")


def properties(theme: Theme) -> dict[str, str]:
    """The theme as the page's custom properties."""
    return {f"--c-{field.name.replace('_', '-')}": getattr(theme, field.name) for field in fields(Theme)}


def run_properties(*, dark: bool) -> dict[str, str]:
    """The colours of the runs as custom properties, for a page that shows several."""
    return {f"--c-run-{number}": look.dark if dark else look.light for number, look in enumerate(RUNS)}


def _exchange(text: str, colour: Any) -> str:
    pattern = re.compile("|".join(map(re.escape, _ROLES)))
    return pattern.sub(lambda match: colour(_ROLES[match.group()]), text)


def settings(theme: Theme) -> Any:
    """Matplotlib's settings of a theme; its stubs want a literal type for every key."""
    return {
        "font.family": "sans-serif",
        "font.sans-serif": [FAMILY],
        "font.size": 10,
        "text.color": theme.ink,
        "text.hinting": "none",  # at this resolution it shows no difference and takes a fifth of the time
        "text.parse_math": False,  # a dollar in a name is a dollar
        "axes.edgecolor": theme.line,
        "axes.facecolor": "none",
        "axes.labelcolor": theme.muted,
        "axes.labelsize": 9.5,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": False,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5,
        "xtick.major.size": 3.5,
        "ytick.major.size": 0,
        "figure.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "lines.linewidth": 2.0,
        "lines.solid_capstyle": "round",
        "svg.fonttype": "none",
        "svg.hashsalt": "gatebench",
    }
