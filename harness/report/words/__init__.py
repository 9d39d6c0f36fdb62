"""Arms, pairs and verdicts in words: labels, and the sentences that a report opens with."""

from harness.report.words.causes import bound
from harness.report.words.changes import change, changed, shared
from harness.report.words.episodes import disturbed, kind_of, lost_words, shown_by, told
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
from harness.report.words.neighbours import bearing, held_words, taken_words
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
    "bearing",
    "bound",
    "called",
    "change",
    "changed",
    "clause",
    "condition",
    "contender",
    "count",
    "deployed",
    "disturbed",
    "ends",
    "first_line",
    "form",
    "headline",
    "held_words",
    "interval",
    "kind_of",
    "latency",
    "lost_words",
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
    "shown_by",
    "side",
    "sides",
    "taken_words",
    "tally",
    "text",
    "times",
    "title",
    "told",
    "turned",
    "under",
    "warning",
    "without_result",
]
