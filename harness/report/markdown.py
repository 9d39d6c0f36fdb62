"""summary.md: the answer and its table, fit for a pull request's comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness import units
from harness.report.words import SYMBOLS, condition, sentence, shown, side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.study import Study
    from harness.verdicts import PairVerdict

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def summary(study: Study) -> str:
    """The whole file."""
    return "\n".join(_lines(study)).rstrip() + "\n"


def escaped(text: str) -> str:
    """`text` with nothing in it that Markdown or HTML would take for its own."""
    return protected(shown(text))


def protected(text: str) -> str:
    """The same for words that are fit to be shown."""
    return SPECIAL.sub(r"\\\1", text).replace("\n", " ")


def _lines(study: Study) -> Iterator[str]:
    info = study.run.info
    yield f"### gatebench: {escaped(info.plan.suite)}"
    yield ""
    for pair in study.pairs:
        if not study.pairs[pair].null and study.verdict(pair):
            yield f"- {protected(sentence(study, pair))}"
    yield ""
    yield "| scenario | a | b | a | b | b / a (95 %) | verdict |"
    yield "|---|---|---|---:|---:|---:|---|"
    for pair in study.pairs:
        verdict = study.verdict(pair)
        if verdict is not None:
            yield _row(study, pair, verdict)
    yield ""
    for caveat in study.comparison.caveats:
        yield f"> {escaped(caveat.text)}{f' *{escaped(caveat.remedy)}*' if caveat.remedy else ''}"
        yield ">"
    yield ""
    yield f"<sub>{_small(study)}</sub>"


def _row(study: Study, pair: str, verdict: PairVerdict) -> str:
    planned = study.pairs[pair]
    a, b = study.arms[planned.a], study.arms[planned.b]
    figures = [units.rps(v.value if (v := study.arm(arm, "throughput_rps")) else None) for arm in (a.id, b.id)]
    if verdict.ratio is None:
        ratio, word = units.MISSING, f"{verdict.verdict}: {'; '.join(verdict.reasons)}"
    else:
        ratio = f"**{units.ratio(verdict.ratio)}**"
        ratio += f" ({units.ratio(verdict.low)} to {units.ratio(verdict.high)})" if verdict.low else " (one block)"
        word = verdict.verdict
    null = " (A/A)" if planned.null else ""
    cells = [
        f"**{escaped(a.cell.scenario)}**, {protected(condition(a))}{null}",
        protected(side(a)),
        protected(side(b)),
        *figures,
        ratio,
        f"{SYMBOLS[verdict.verdict]} {escaped(word)}",
    ]
    return f"| {' | '.join(cells)} |"


def _small(study: Study) -> str:
    info = study.run.info
    cores = len(info.placement.get("server", ()))
    versions = " · ".join(f"{escaped(name)} {escaped(version)}" for name, version in sorted(info.versions.items()))
    cpu = escaped(str(info.environment.get("cpu", "unknown CPU")))
    return (
        f"{escaped(info.run)} · {info.plan.blocks} blocks · {cpu}, server on {cores} "
        f"core{'s' if cores != 1 else ''} · {versions}"
    )
