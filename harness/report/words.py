"""Arms, pairs and verdicts in words: labels, and the sentences that a report opens with."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from harness import units
from harness.report.metrics import METRICS

if TYPE_CHECKING:
    from harness.plan import Arm
    from harness.report.study import Study, Value
    from harness.verdicts import PairVerdict

SYMBOLS = {
    "better": "▲",
    "worse": "▼",
    "equivalent": "=",
    "inconclusive": "?",
    "not resolved": "?",
    "invalid": "✕",
    "error": "✕",
}
"""Beside the colour, never colour alone."""


ISOLATE, POP = "\u2068", "\u2069"


def shown(text: str) -> str:
    """A name of anyone's making, safe to print: control characters replaced, right-to-left text kept to itself."""
    clean = "".join("\ufffd" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in text)
    if any(unicodedata.bidirectional(c) in {"R", "AL", "RLE", "RLO", "LRE", "LRO", "RLI", "FSI"} for c in clean):
        return f"{ISOLATE}{clean}{POP}"
    return clean


def plural(count: int, noun: str) -> str:
    """`1 worker`, `4 workers`."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


def setup(arm: Arm) -> str:
    """What serves: `fastapi on uvicorn`."""
    return f"{arm.cell.target} on {arm.cell.server}"


def own(arm: Arm) -> str:
    """What is a side's own, printed beside it: threads, client, middleware; empty where nothing is."""
    parts = [plural(arm.cell.threads, "thread")] if arm.server.slots == "threads" else []
    parts += [level for level in (arm.cell.client, arm.cell.middleware) if level != "none"]
    return ", ".join(parts)


def side(arm: Arm) -> str:
    """An arm with what is its own: `flask on gunicorn-gthread (8 threads, requests)`."""
    return f"{setup(arm)} ({own(arm)})" if own(arm) else setup(arm)


def condition(arm: Arm) -> str:
    """What both sides of a pair share beside the scenario: `pooled, 4 workers`."""
    cell, matters = arm.cell, arm.scenario.factors
    parts = []
    if "pooling" in matters:
        parts.append("pooled" if cell.pooling == "pool" else "unpooled")
    if "cache" in matters:
        parts.append("no cache" if cell.cache == "none" else f"{cell.cache} cache")
    parts.append(plural(cell.workers, "worker"))
    if arm.connections != arm.scenario.connections:
        parts.append(plural(arm.connections, "connection"))
    if arm.rate_rps is not None:
        parts.append(f"at {units.rps(arm.rate_rps)}")
    return ", ".join(parts)


def slots(arm: Arm) -> int | None:
    """Requests that the arm's workers can hold at once; None where an event loop holds as many as come."""
    if arm.server.slots == "threads":
        return arm.cell.workers * arm.cell.threads
    if arm.server.slots == "one" or arm.target.handler == "blocking":
        return arm.cell.workers
    return None


def limit(arm: Arm, name: str | None, server_cores: int) -> str:
    """What stopped an arm, as the end of a sentence about it; empty where nothing is known."""
    held = slots(arm)
    phrases = {
        "server-cpu": f"has used up its {plural(server_cores, 'server core')}",
        "worker-slots": f"is bound by its {plural(held, 'worker slot')}" if held else "is bound by its worker slots",
        "upstream": "is bound by the upstream",
        "connections": f"is bound by the load's {plural(arm.connections, 'connection')}",
        "generator": "is bound by the load generator",
    }
    return phrases.get(name or "", f"is bound by {name}" if name else "")


def sentence(study: Study, pair: str) -> str:
    """The answer that a pair gives, in one sentence."""
    verdict = study.verdict(pair)
    planned = study.pairs[pair]
    a, b = study.arms[planned.a], study.arms[planned.b]
    lead = f"{a.cell.scenario}, {condition(a)}: "
    if verdict is None:
        return lead + f"{setup(b)} and {setup(a)} were not compared."
    if verdict.ratio is None:
        return lead + f"no result. {'; '.join(verdict.reasons) or verdict.verdict}."
    return lead + said(verdict, setup(a), setup(b), study.run.info.plan.margin) + _limits(study, pair) + "."


def said(verdict: PairVerdict, a: str, b: str, margin: float) -> str:
    """The clause that states a verdict."""
    figure = f"{units.ratio(verdict.ratio)} times"
    if verdict.low is not None and verdict.high is not None:
        figure += f" ({units.ratio(verdict.low)} to {units.ratio(verdict.high)})"
    if verdict.blocks == 1:
        return f"{b} served {figure} what {a} did, in a single block, so without an interval"
    if verdict.verdict == "equivalent":
        return f"{b} serves the same as {a} within {units.percent(margin)}, {figure}"
    if verdict.verdict == "inconclusive":
        more = f"; {verdict.settle} would settle it" if verdict.settle else ""
        return f"{b} and {a} cannot be told apart yet, {figure}{more}"
    return f"{b} serves {figure} what {a} does"


def _limits(study: Study, pair: str) -> str:
    planned = study.pairs[pair]
    cores = len(study.run.info.placement.get("server", ()))
    verdict = study.verdict(pair)
    names = (verdict.a_limit, verdict.b_limit) if verdict else (None, None)
    parts = []
    for arm_id, name in zip((planned.a, planned.b), names, strict=True):
        arm = study.arms[arm_id]
        if name:
            parts.append(f"{arm.cell.target} {limit(arm, name, cores)}")
    return f"; {', '.join(parts)}" if parts else ""


def interval(value: Value | None) -> str:
    """A value with its interval, in its metric's unit."""
    if value is None or value.value is None:
        return units.MISSING
    if value.unit == "ratio":
        return units.ratio(value.value, value.low, value.high)
    text = METRICS[value.metric].text
    if value.low is None or value.high is None:
        return text(value.value)
    return f"{text(value.value)} ({text(value.low)} to {text(value.high)})"
