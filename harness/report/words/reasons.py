"""Why there is no result, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.judge.verdicts import PairVerdict
from harness.report.figures import Study
from harness.report.figures.rows import sentence_of
from harness.report.words.names import called, name, shown

FIGURE = re.compile(r"\d[\d.,]*")
"""What differs between two reasons of the same rule."""


def first_line(text: str) -> str:
    """The sentence of an error or a reason, safe to print, without the lines of a log that may follow it."""
    return shown(sentence_of(text))


def reason(study: Study, text: str) -> str:
    """One reason of a verdict, with the arm that it begins with by its name."""
    arm, colon, rest = text.partition(": ")
    return f"{called(study, study.arms[arm])}: {first_line(rest)}" if colon and arm in study.arms else first_line(text)


def reasons(study: Study, verdict: PairVerdict) -> tuple[str, ...]:
    """Why a verdict has no ratio; of reasons that differ in their figures alone the first."""
    return alike(reason(study, text) for text in verdict.reasons)


def without_result(study: Study) -> list[tuple[tuple[str, ...], str]]:
    """Pairs without a ratio and why there is none; those that have the reason in common stand together."""
    together: dict[str, tuple[list[str], str]] = {}
    for pair in study.pairs:
        verdict = study.verdict(pair)
        if verdict is not None and verdict.ratio is None:
            why = "; ".join(reasons(study, verdict)) or verdict.verdict
            together.setdefault(_rule(why), ([], why))[0].append(name(study, pair))
    return [(tuple(names), why) for names, why in together.values()]


def alike(texts: Iterable[str]) -> tuple[str, ...]:
    """The first of those texts that differ in their figures alone."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(_rule(text), text)
    return tuple(first.values())


def _rule(text: str) -> str:
    return FIGURE.sub("#", text)
