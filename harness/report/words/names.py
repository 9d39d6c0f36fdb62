"""What arms, pairs and scenarios are called."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from harness import units
from harness.report.figures import Study
from harness.suite import Arm
from harness.units import plural

ISOLATE, POP = "\u2068", "\u2069"
RIGHT_TO_LEFT = {"R", "AL", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDF", "PDI"}
VOID = "\ufffd"
LONGEST = 48
"""Characters of a scenario's name in a title."""


def shown(text: str) -> str:
    """A name of anyone's making, safe to print: control characters replaced, right-to-left text kept to itself."""
    text = " ".join(text.split())
    kinds = [(unicodedata.category(c), unicodedata.bidirectional(c)) for c in text]
    # What would turn the direction of the text around it is replaced too: only letters have a direction of their own.
    clean = "".join(
        VOID if category in {"Cc", "Cs"} or (category == "Cf" and direction in RIGHT_TO_LEFT) else c
        for c, (category, direction) in zip(text, kinds, strict=True)
    )
    return f"{ISOLATE}{clean}{POP}" if any(direction in {"R", "AL"} for _, direction in kinds) else clean


def setup(arm: Arm) -> str:
    """What serves: `fastapi on uvicorn`."""
    return f"{shown(arm.cell.target)} on {shown(arm.cell.server)}"


def own(arm: Arm) -> str:
    """What is a side's own, printed beside it: threads, client, middleware, gc; empty where nothing is."""
    return ", ".join(map(shown, arm.own))


def called(study: Study, arm: Arm) -> str:
    """What serves, with what sets it apart where its partner is called the same: `fastapi on uvicorn (aiohttp)`."""
    partners = study.sides(arm.pair) if arm.pair in study.pairs else ()
    alike = [partner for partner in partners if partner.id != arm.id and setup(partner) == setup(arm)]
    apart = [shown(part) for partner in alike for part in arm.own if part not in partner.own]
    return f"{setup(arm)} ({', '.join(apart)})" if apart else setup(arm)


def side(arm: Arm) -> str:
    """An arm with what is its own: `flask on gunicorn-gthread (8 threads, requests)`."""
    return f"{setup(arm)} ({own(arm)})" if own(arm) else setup(arm)


def condition(study: Study, arm: Arm) -> str:
    """What an arm shares with its partner beside the scenario: `pooled, 4 workers`."""
    shared = [factor for factor in study.factors if factor.on == "pair"]
    shared.sort(key=lambda factor: factor.is_count)  # counts last: `pooled, 4 workers`
    parts = [
        factor.say(arm.cell.level(factor.name))
        for factor in shared
        if factor.is_count or not factor.by_scenario or factor.name in arm.scenario.factors
    ]
    if arm.connections != arm.scenario.connections or study.sweeps(arm.cell.scenario):
        parts.append(plural(arm.connections, "connection"))
    if arm.rate_rps is not None:
        parts.append(f"at {units.rps(arm.rate_rps)}")
    return ", ".join(filter(None, parts))


def under(study: Study, pair: str) -> str:
    """What a pair was measured under: `pooled, 4 workers`."""
    a, b = study.sides(pair)
    parts = [condition(study, a)]
    for factor in study.telling(b.cell.scenario):
        words = factor.say(b.cell.level(factor.name))
        parts += [words if factor.name in words else f"{words} {factor.name}"] if words else []
    parts += ["A/A"] if study.pairs[pair].null else []
    disturbance = study.group_of(pair).disturbance
    parts += [shown(disturbance.situation)] if disturbance is not None else []
    return ", ".join(parts)


def name(study: Study, pair: str) -> str:
    """A pair by its scenario and what it was measured under: `external-data, pooled, 4 workers`."""
    return f"{shown(study.sides(pair)[0].cell.scenario)}, {under(study, pair)}"


def title(scenario: str) -> str:
    """A scenario's name as a chart's title begins with it."""
    return shorten(shown(scenario), LONGEST)


def shorten(text: str, most: int) -> str:
    """`text` cut to `most` characters with an ellipsis."""
    if len(text) <= most:
        return text
    cut = text[: most - 1].rstrip() + "\u2026"
    return cut + POP if ISOLATE in cut and POP not in cut else cut


def same_sides(study: Study, pairs: Iterable[str]) -> tuple[str, str] | None:
    """What a and b are called when these pairs all compare the same two; otherwise None."""
    names = {tuple(map(setup, study.sides(pair))) for pair in pairs if not study.pairs[pair].null}
    if len(names) != 1:
        return None
    a, b = names.pop()
    return a, b
