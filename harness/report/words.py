"""Arms, pairs and verdicts in words: labels, and the sentences that a report opens with."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

from harness import units
from harness.compare.verdict import MIN_BLOCKS
from harness.plan import Arm, slots
from harness.report.metrics import form
from harness.report.study import Study
from harness.report.values import Value
from harness.tune.answer import Answer
from harness.verdicts import Caveat, PairVerdict

SYMBOLS = {
    "better": "▲",
    "worse": "▼",
    "equivalent": "=",
    "inconclusive": "?",
    "not resolved": "?",
    "invalid": "✕",
    "error": "✕",
}
"""Beside the colour: never colour alone."""
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


def plural(count: int, noun: str) -> str:
    """`1 worker`, `4 workers`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def setup(arm: Arm) -> str:
    """What serves: `fastapi on uvicorn`."""
    return f"{shown(arm.cell.target)} on {shown(arm.cell.server)}"


def own(arm: Arm) -> str:
    """What is a side's own, printed beside it: threads, client, middleware; empty where nothing is."""
    parts = [plural(arm.cell.threads, "thread")] if arm.server.slots == "threads" else []
    parts += [shown(level) for level in (arm.cell.client, arm.cell.middleware) if level != "none"]
    return ", ".join(parts)


def side(arm: Arm) -> str:
    """An arm with what is its own: `flask on gunicorn-gthread (8 threads, requests)`."""
    return f"{setup(arm)} ({own(arm)})" if own(arm) else setup(arm)


def condition(study: Study, arm: Arm) -> str:
    """What an arm shares with its partner beside the scenario: `pooled, 4 workers`."""
    cell, matters = arm.cell, arm.scenario.factors
    parts = []
    if "pooling" in matters:
        parts.append("pooled" if cell.pooling == "pool" else "unpooled")
    if "cache" in matters:
        parts.append("no cache" if cell.cache == "none" else f"{cell.cache} cache")
    parts.append(plural(cell.workers, "worker"))
    if arm.connections != arm.scenario.connections or study.sweeps(cell.scenario):
        parts.append(plural(arm.connections, "connection"))
    if arm.rate_rps is not None:
        parts.append(f"at {units.rps(arm.rate_rps)}")
    return ", ".join(parts)


def under(study: Study, pair: str) -> str:
    """What a pair was measured under: `pooled, 4 workers`."""
    a, b = study.sides(pair)
    parts = [condition(study, a)]
    parts += [f"{shown(b.cell.middleware)} middleware"] if b.cell.middleware != "none" else []
    parts += ["A/A"] if study.pairs[pair].null else []
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


def told(study: Study, caveat: Caveat) -> str:
    """A caveat with the pair and the arm that it is about, without its remedy."""
    about = [name(study, caveat.pair)] if caveat.pair in study.pairs else []
    about += [setup(study.arms[caveat.arm])] if caveat.arm in study.arms else []
    return f"{', '.join(about)}: {shown(caveat.text)}" if about else shown(caveat.text)


def reason(study: Study, text: str) -> str:
    """Why there is no result, with the arm that it begins with by its name."""
    arm, colon, rest = text.partition(": ")
    return f"{setup(study.arms[arm])}: {shown(rest)}" if colon and arm in study.arms else shown(text)


def same_sides(study: Study, pairs: Iterable[str]) -> tuple[str, str] | None:
    """What a and b are called when these pairs all compare the same two; otherwise None."""
    names = {tuple(map(setup, study.sides(pair))) for pair in pairs if not study.pairs[pair].null}
    found = names.pop() if len(names) == 1 else None
    return (found[0], found[1]) if found else None


def bound(arm: Arm, limit: str | None, cores: int) -> str:
    """What stopped an arm, as what a sentence says of it; empty where nothing is known."""
    most = slots(arm)
    held = f"its {plural(int(most), 'worker slot')}" if math.isfinite(most) else "its worker slots"
    used = min(cores, arm.cell.workers) or 1
    said = {
        "server-cpu": f"uses up its {plural(used, 'server core') if used > 1 else 'server core'}",
        "worker-slots": f"is bound by {held}",
        "upstream": "is bound by the upstream",
        "connections": f"is bound by the load's {plural(arm.connections, 'connection')}",
        "generator": "is bound by the load generator",
    }
    return said.get(limit, f"is bound by {shown(limit)}") if limit else ""


def sentence(study: Study, pair: str) -> str:
    """The answer that a pair gives, in one sentence."""
    return f"{name(study, pair)}: {clause(study, pair)}"


def clause(study: Study, pair: str) -> str:
    """The same without the pair's name."""
    verdict = study.verdict(pair)
    a, b = study.sides(pair)
    if verdict is None:
        return _without_throughput(study, pair)
    if verdict.ratio is None:
        reasons = "; ".join(reason(study, text) for text in verdict.reasons) or verdict.verdict
        return f"no result for {setup(b)} against {setup(a)}. {reasons}"
    limited = _bounds(study, pair, verdict)
    return said(verdict, setup(a), setup(b), study.run.info.plan.margin) + (f"; {limited}." if limited else ".")


def said(verdict: PairVerdict, a: str, b: str, margin: float) -> str:
    """The clause that states a throughput verdict."""
    figure = f"{units.ratio(verdict.ratio)} times"
    if verdict.low is None:
        return f"{b} served {figure} what {a} did, in a single block, so without an interval"
    figure += f" ({units.ratio(verdict.low)} to {units.ratio(verdict.high)})"
    if verdict.blocks < MIN_BLOCKS:
        return f"{b} served {figure} what {a} did, in {verdict.blocks} blocks: too few for a verdict"
    if verdict.verdict == "equivalent":
        return f"{b} serves the same as {a} within {units.percent(margin)}, {figure}"
    if verdict.verdict == "inconclusive":
        more = f"; {verdict.settle} would settle it" if verdict.settle and "about" in verdict.settle else ""
        return f"{b} and {a} cannot be told apart, {figure}{more}"
    return f"{b} serves {figure} what {a} does"


def _without_throughput(study: Study, pair: str) -> str:
    """Of a pair that was measured at a given rate only."""
    a, b = study.sides(pair)
    for quantile in ("p99", "p95", "p90", "p50"):
        verdict = study.verdict(pair, f"latency_{quantile}_us")
        if verdict is not None and verdict.ratio is not None:
            figure = units.ratio(verdict.ratio, verdict.low, verdict.high)
            return f"the {quantile} latency of {setup(b)} is {figure} times that of {setup(a)}."
    return f"{setup(b)} and {setup(a)} gave no result to compare."


def _bounds(study: Study, pair: str, verdict: PairVerdict) -> str:
    a, b = study.sides(pair)
    found = [
        (arm, bound(arm, limit, study.cores))
        for arm, limit in ((a, verdict.a_limit), (b, verdict.b_limit))
        if limit is not None
    ]
    if len(found) == 2 and found[0][1] == found[1][1]:  # noqa: PLR2004 - both sides
        return f"each {found[0][1]}"
    apart = a.cell.target != b.cell.target
    return ", ".join(f"{shown(arm.cell.target) if apart else setup(arm)} {what}" for arm, what in found)


def headline(study: Study) -> str:
    """What a run shows, in a line."""
    if study.tuned is None:
        return tally(study, [pair for pair in study.pairs if study.verdict(pair)])
    found = study.tuned.recommended
    advice = f"Run {shown(study.tuned.target)} on {shown(study.tuned.server)} with {deployed(study.tuned)}"
    text_ = advice if found else f"Nothing to recommend for {shown(study.tuned.target)} on {shown(study.tuned.server)}"
    low = study.values.get("capacity/low/capacity_rps/open")
    return f"{text_}; it holds {shown(study.tuned.slo or '')} up to {text(low)}" if low else text_


def deployed(answer: Answer) -> str:
    """What tune recommends: `4 workers of 8 threads`."""
    found = answer.recommended
    if found is None:
        return "nothing"
    threads = answer.service is not None and answer.service.slots == "threads"
    return plural(found.workers, "worker") + (f" of {plural(found.threads, 'thread')}" if threads else "")


def tally(study: Study, pairs: Iterable[str]) -> str:
    """How many of these pairs each side wins, in a sentence."""
    real = [pair for pair in pairs if not study.pairs[pair].null]
    return count([v.verdict for v in map(study.verdict, real) if v], same_sides(study, real))


def count(verdicts: Sequence[str], sides: tuple[str, str] | None) -> str:
    """The same from the verdicts alone, and what the sides are called where all have the same."""
    a, b = sides or ("side a", "side b")
    found = verdicts.count
    parts = []
    if found("better"):
        parts.append(f"{b} serves more in {found('better')} of {len(verdicts)}")
    if found("worse"):
        parts.append(f"{a} in {found('worse')}" if parts else f"{a} serves more in {found('worse')} of {len(verdicts)}")
    parts += [f"equal in {found('equivalent')}"] if found("equivalent") else []
    parts += [f"undecided in {found('inconclusive')}"] if found("inconclusive") else []
    lost = found("invalid") + found("error") + found("not resolved")
    parts += [f"no result in {lost}"] if lost else []
    words = ", ".join(parts) or "No pair was compared"
    return words[0].upper() + words[1:] if words.startswith(("equal", "undecided", "no ", "side")) else words


def text(value: Value | None) -> str:
    """A value in its metric's unit, without its interval."""
    if value is None or value.value is None:
        return units.MISSING
    return units.ratio(value.value) if value.unit == "ratio" else form(value.metric)(value.value)


def interval(value: Value | None) -> str:
    """A value with its interval, in its metric's unit."""
    if value is None or value.value is None or value.low is None or value.high is None:
        return text(value)
    if value.unit == "ratio":
        return units.ratio(value.value, value.low, value.high)
    return f"{text(value)} ({ends(value)})"


def ends(value: Value | None) -> str:
    """The interval of a value alone; empty where there is none."""
    if value is None or value.low is None or value.high is None:
        return ""
    if value.unit == "ratio":
        return units.ratio(value.value, value.low, value.high).partition("(")[2].rstrip(")")
    shown_as = form(value.metric)
    return f"{shown_as(value.low)} to {shown_as(value.high)}"
