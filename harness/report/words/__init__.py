"""Arms, pairs and verdicts in words: labels, and the sentences that a report opens with."""

from harness.report.words.causes import bound
from harness.report.words.changes import change, changed, shared
from harness.report.words.names import (
    called,
    condition,
    name,
    own,
    same_sides,
    setup,
    shorten,
    shown,
    side,
    title,
    under,
)
from harness.report.words.reasons import alike, first_line, reasons, without_result
from harness.report.words.sentences import (
    SYMBOLS,
    clause,
    deployed,
    headline,
    latency,
    ordered,
    sentence,
    warning,
)
from harness.report.words.tally import Contender, Outcome, contender, count, outcome, sides, tally
from harness.report.words.values import ends, form, interval, percentile, text, times, turned

__all__ = [
    "SYMBOLS",
    "Contender",
    "Outcome",
    "alike",
    "bound",
    "called",
    "change",
    "changed",
    "clause",
    "condition",
    "contender",
    "count",
    "deployed",
    "ends",
    "first_line",
    "form",
    "headline",
    "interval",
    "latency",
    "name",
    "ordered",
    "outcome",
    "own",
    "percentile",
    "reasons",
    "same_sides",
    "sentence",
    "setup",
    "shared",
    "shorten",
    "shown",
    "side",
    "sides",
    "tally",
    "text",
    "times",
    "title",
    "turned",
    "under",
    "warning",
    "without_result",
]
