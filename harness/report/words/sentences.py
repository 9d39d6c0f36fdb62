"""Verdicts, caveats and answers as sentences: the winner first, a ratio above 1, and the cause."""

from __future__ import annotations

from harness import units
from harness.judge.compare.verdict import MIN_BLOCKS
from harness.judge.verdicts import Caveat, PairVerdict
from harness.report.figures import Study
from harness.report.words.causes import LATE, because, briefly, diagnosed, limits
from harness.report.words.episodes import disturbed, headline_of
from harness.report.words.names import called, name, shown, side
from harness.report.words.reasons import reasons
from harness.report.words.tally import tally
from harness.report.words.values import percentile, text, turned
from harness.suite import Arm
from harness.tune.recommendation import Recommendation
from harness.units import plural

SYMBOLS = {
    "better": "▲",
    "worse": "▼",
    "equivalent": "=",
    "inconclusive": "?",
    "not judged": "·",
    "not resolved": "?",
    "invalid": "✕",
    "error": "✕",
}
"""Beside the colour: never colour alone."""


def warning(study: Study, caveat: Caveat) -> str:
    """A caveat with the pair and the arm that it is about, without its remedy."""
    about = [name(study, caveat.pair)] if caveat.pair in study.pairs else []
    if caveat.arm in study.arms:
        arm = study.arms[caveat.arm]
        about += [called(study, arm) if about else f"{side(arm)}, {plural(arm.cell.workers, 'worker')}"]
    return f"{', '.join(about)}: {shown(caveat.text)}" if about else shown(caveat.text)


def sentence(study: Study, pair: str) -> str:
    """The answer that a pair gives, in one sentence."""
    return f"{name(study, pair)}: {clause(study, pair)}"


def clause(study: Study, pair: str) -> str:
    """The same without the pair's name."""
    verdict = study.verdict(pair)
    if verdict is None:
        return _at_a_rate(study, pair)
    if verdict.ratio is None:
        return _no_result(study, pair, verdict)
    if verdict.verdict in {"better", "worse"}:
        less, more = ordered(study, verdict)
        cause = because(study, pair, verdict, less, more)
        stated = f"{called(study, more)} serves {turned(verdict)} what {called(study, less)} does"
        return f"{stated}: {cause}." if cause else f"{stated}."
    stopped = limits(study, pair, verdict)
    stated = _not_apart(study, verdict)
    return (f"{stated}; {stopped}." if stopped else f"{stated}.") + _beside(study, pair)


def ordered(study: Study, verdict: PairVerdict) -> tuple[Arm, Arm]:
    """The sides of a pair: that with less of what a verdict is on, and that with more."""
    a, b = study.sides(verdict.pair)
    return (a, b) if (verdict.ratio or 1) >= 1 else (b, a)


def _not_apart(study: Study, verdict: PairVerdict) -> str:
    """A throughput verdict that names no winner, and what would settle it."""
    less, more = (called(study, arm) for arm in ordered(study, verdict))
    served = f"{more} served {turned(verdict)} what {less} did"
    settle = f": {shown(verdict.settle)} would settle it" if verdict.settle and "about" in verdict.settle else ""
    if verdict.low is None:
        return f"{served}, in a single block, so without an interval{settle}"
    if verdict.verdict == "equivalent":
        within = units.percent(study.run.info.plan.margin)
        return f"{more} serves the same as {less} within {within}, {turned(verdict)}"
    if verdict.blocks < MIN_BLOCKS:
        return f"{served}, in {verdict.blocks} blocks, too few for a verdict{settle}"
    return f"{more} and {less} cannot be told apart, {turned(verdict)}{settle}"


def _no_result(study: Study, pair: str, verdict: PairVerdict) -> str:
    a, b = (called(study, arm) for arm in study.sides(pair))
    return f"no result for {b} against {a}. {'; '.join(reasons(study, verdict)) or verdict.verdict}"


def _beside(study: Study, pair: str) -> str:
    """What the p99 tells apart where throughput does not."""
    p99 = study.verdict(pair, "latency_p99_us")
    decided = p99 is not None and p99.verdict in {"better", "worse"}
    return f" At equal rates {latency(study, p99)}." if p99 and decided else ""


def _at_a_rate(study: Study, pair: str) -> str:
    """Of a pair that was measured at a given rate only."""
    verdicts = [study.verdict(pair, f"latency_{quantile}_us") for quantile in ("p99", "p95", "p90", "p50")]
    planned = [verdict for verdict in verdicts if verdict]
    shows = next((verdict for verdict in planned if verdict.ratio is not None), None)
    if shows:
        return f"{latency(study, shows)}."
    return _no_result(study, pair, planned[0]) if planned else "it was not measured"


def latency(study: Study, verdict: PairVerdict) -> str:
    """The clause of a latency verdict: who answers sooner, and why."""
    fast, slow = ordered(study, verdict)
    sooner, later, quantile = called(study, fast), called(study, slow), percentile(verdict.metric)
    if verdict.verdict in {"better", "worse"}:
        late = diagnosed(study, verdict.pair, slow, LATE)
        cause = f", for {briefly(study, verdict.pair, slow)} {late}" if late else ""
        return f"{sooner} answers sooner: the {quantile} of {later} is {turned(verdict)} as long{cause}"
    if verdict.verdict == "equivalent":
        return f"the {quantile} of {later} and {sooner} is the same, {turned(verdict)}"
    if verdict.low is None:
        return f"the {quantile} of {later} was {turned(verdict)} that of {sooner}, without an interval"
    return f"the {quantile} of {later} and {sooner} cannot be told apart, {turned(verdict)}"


def headline(study: Study) -> str:
    """What a run shows, in a line; of a single pair its answer."""
    if study.tuned is not None:
        return _advice(study, study.tuned)
    if beside := disturbed(study):
        return headline_of(study, beside)
    pairs = [pair for pair in study.pairs if study.verdict(pair)]
    real = [pair for pair in pairs if not study.pairs[pair].null]
    return clause(study, real[0]).rstrip(".") if len(real) == 1 else tally(study, pairs)


def _advice(study: Study, answer: Recommendation) -> str:
    what = f"{shown(answer.target)} on {shown(answer.server)}"
    advice = f"Run {what} with {deployed(answer)}" if answer.recommended else f"Nothing to recommend for {what}"
    if answer.rate is not None:
        rate, verb = answer.rate, "probably holds" if not answer.rate.settled else "holds"
        asked = f"{shown(answer.slo or '')} at {units.rps(rate.rate_rps)} with {units.percent(rate.headroom)} headroom"
        return f"{advice}; it {verb} {asked}" if answer.recommended else f"{advice}: nothing is known to hold {asked}"
    low, capacity = study.values.get("capacity/low/capacity_rps/open"), answer.capacity_rps
    return f"{advice}; it {capacity.holds} {shown(answer.slo or '')} up to {text(low)}" if low and capacity else advice


def deployed(answer: Recommendation) -> str:
    """What tune recommends: `4 workers of 8 threads`."""
    best = answer.recommended
    if best is None:
        return "nothing"
    threads = answer.service is not None and answer.service.slots == "threads"
    return plural(best.workers, "worker") + (f" of {plural(best.threads, 'thread')}" if threads else "")
