"""Verdicts and caveats as sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness import units
from harness.judge.compare.verdict import MIN_BLOCKS
from harness.judge.verdicts import Caveat, PairVerdict
from harness.report.figures import Study
from harness.report.words.names import called, interfaces, name, plural, same_sides, shown, side
from harness.report.words.values import text
from harness.suite import Arm, slots
from harness.tune.answer import Answer

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


def told(study: Study, caveat: Caveat) -> str:
    """A caveat with the pair and the arm that it is about, without its remedy."""
    about = [name(study, caveat.pair)] if caveat.pair in study.pairs else []
    if caveat.arm in study.arms:
        arm = study.arms[caveat.arm]
        about += [called(study, arm) if about else f"{side(arm)}, {plural(arm.cell.workers, 'worker')}"]
    return f"{', '.join(about)}: {shown(caveat.text)}" if about else shown(caveat.text)


def reason(study: Study, text: str) -> str:
    """Why there is no result, with the arm that it begins with by its name."""
    arm, colon, rest = text.partition(": ")
    return f"{called(study, study.arms[arm])}: {shown(rest)}" if colon and arm in study.arms else shown(text)


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
        return f"no result for {called(study, b)} against {called(study, a)}. {reasons}"
    limited = _bounds(study, pair, verdict)
    told = said(verdict, called(study, a), called(study, b), study.run.info.plan.margin)
    return (f"{told}; {limited}." if limited else f"{told}.") + _beside(study, pair, verdict)


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


def _beside(study: Study, pair: str, verdict: PairVerdict) -> str:
    """What the p99 tells apart where throughput does not."""
    p99 = study.verdict(pair, "latency_p99_us")
    if verdict.verdict in {"better", "worse"} or p99 is None or p99.verdict not in {"better", "worse"}:
        return ""
    a, b = study.sides(pair)
    figure = units.ratio(p99.ratio, p99.low, p99.high)
    return f" At equal rates the p99 of {called(study, b)} is {figure} times that of {called(study, a)}."


def _without_throughput(study: Study, pair: str) -> str:
    """Of a pair that was measured at a given rate only."""
    a, b = study.sides(pair)
    for quantile in ("p99", "p95", "p90", "p50"):
        verdict = study.verdict(pair, f"latency_{quantile}_us")
        if verdict is not None and verdict.ratio is not None:
            figure = units.ratio(verdict.ratio, verdict.low, verdict.high)
            return f"the {quantile} latency of {called(study, b)} is {figure} times that of {called(study, a)}."
    return f"{called(study, b)} and {called(study, a)} gave no result to compare."


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
    return ", ".join(f"{shown(arm.cell.target) if apart else called(study, arm)} {what}" for arm, what in found)


def headline(study: Study) -> str:
    """What a run shows, in a line."""
    if study.tuned is None:
        return tally(study, [pair for pair in study.pairs if study.verdict(pair)])
    found = study.tuned.recommended
    advice = f"Run {shown(study.tuned.target)} on {shown(study.tuned.server)} with {deployed(study.tuned)}"
    text_ = advice if found else f"Nothing to recommend for {shown(study.tuned.target)} on {shown(study.tuned.server)}"
    low = study.values.get("capacity/low/capacity_rps/open")
    capacity = study.tuned.capacity_rps
    return (
        f"{text_}; it {capacity.holds} {shown(study.tuned.slo or '')} up to {text(low)}" if low and capacity else text_
    )


def deployed(answer: Answer) -> str:
    """What tune recommends: `4 workers of 8 threads`."""
    found = answer.recommended
    if found is None:
        return "nothing"
    threads = answer.service is not None and answer.service.slots == "threads"
    return plural(found.workers, "worker") + (f" of {plural(found.threads, 'thread')}" if threads else "")


def tally(study: Study, pairs: Iterable[str]) -> str:
    """How many of these pairs each side wins, in a sentence; of equals alone, how many were told apart."""
    given = list(pairs)
    real = [pair for pair in given if not study.pairs[pair].null]
    if given and not real:
        apart = [v for v in map(study.verdict, given) if v and v.verdict in {"better", "worse"}]
        return f"{len(apart) or 'None'} of {plural(len(given), 'A/A pair')} called better or worse"
    return count([v.verdict for v in map(study.verdict, real) if v], same_sides(study, real) or interfaces(study, real))


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
