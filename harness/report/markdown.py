"""summary.md: the answer and its table, fit for a pull request's comment."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from harness import units
from harness.judge.verdicts import PairVerdict
from harness.record.conditions import of_servers
from harness.report.figures import Study
from harness.report.figures.rows import HEADINGS, briefly_of, of_candidate, of_rate_row
from harness.report.protecting import protected
from harness.report.words import (
    SYMBOLS,
    disturbed,
    ends,
    headline,
    interval,
    own,
    same_sides,
    sentence,
    setup,
    shown,
    told,
    under,
    warning,
    without_result,
)
from harness.suite import Arm
from harness.tune.recommendation import Recommendation
from harness.tune.resources import manifest


def summary(study: Study) -> str:
    """The whole file."""
    return "\n".join(_lines(study)).rstrip() + "\n"


def escaped(text: str) -> str:
    """`text` so that neither Markdown nor HTML takes anything in it for markup."""
    return protected(shown(text))


def _lines(study: Study) -> Iterator[str]:
    info = study.run.info
    yield f"### gatebench: {escaped(info.plan.suite)}"
    yield ""
    yield from _tuned(study.tuned) if study.tuned else _compared(study)
    yield ""
    for caveat in study.comparison.caveats:
        yield f"> {protected(warning(study, caveat))}{f' → *{escaped(caveat.remedy)}*' if caveat.remedy else ''}"
        yield ">"
    yield ""
    yield f"<sub>{_small(study)}</sub>"


def _compared(study: Study) -> Iterator[str]:
    for pair in disturbed(study):
        yield f"- {protected(told(study, pair))}"
    if all(pair.null for pair in study.pairs.values()):  # no sentence to open with
        yield protected(headline(study))
    for pair in study.pairs:
        verdict = study.verdict(pair)
        if not study.pairs[pair].null and verdict and verdict.ratio is not None:
            yield f"- {protected(sentence(study, pair))}"
    for names, why in without_result(study):
        yield f"- no result for {protected('; '.join(names))}: {protected(why)}"
    yield ""
    a, b = map(protected, same_sides(study, study.pairs) or ("a", "b"))
    yield f"| scenario | {a} | {b} | b / a (95 %) | verdict |"
    yield "|---|---:|---:|---:|---|"
    for pair in study.pairs:
        verdict = study.verdict(pair)
        if verdict is not None:
            yield _row(study, pair, verdict)


def _tuned(answer: Recommendation) -> Iterator[str]:
    yield escaped(answer.explanation)
    yield ""
    if answer.command:
        yield f"`{shown(shlex.join(answer.command)).replace('`', '')}`"
        if answer.resources:
            yield f"\n```yaml\n{manifest(answer.resources)}\n```"
        yield ""
    if answer.rate:
        metrics = briefly_of(answer.rate.rows)
        yield from _head("workers", "threads", "standing", "blocks held", *(HEADINGS[name] for name in metrics))
        for offered in answer.rate.rows:
            votes = f"{offered.held} of {offered.held + offered.missed}"
            shows = (interval(of_rate_row(offered, name)) for name in metrics)
            yield f"| {offered.workers} | {offered.threads} | {offered.standing} | {votes} | {' | '.join(shows)} |"
        return
    metrics = briefly_of(answer.candidates)
    yield from _head("workers", "threads", "standing", *(HEADINGS[name] for name in metrics))
    for row in answer.candidates:
        figures = [of_candidate(row, name) for name in metrics]
        cells = [f"{row.workers}", f"{row.threads}", row.standing, *map(interval, figures)]
        yield f"| {' | '.join(cells)} |"


def _head(*headings: str) -> Iterator[str]:
    """The head of a table whose figures stand to the right."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('---' if heading == 'standing' else '---:' for heading in headings)}|"


def _row(study: Study, pair: str, verdict: PairVerdict) -> str:
    ratio = units.MISSING
    if verdict.ratio is not None:
        range_ = ends(study.pair(pair)) if verdict.low is not None else "one block"
        ratio = f"**{units.ratio(verdict.ratio)}** ({range_})"
    cells = [
        f"**{escaped(verdict.scenario)}**, {protected(under(study, pair))}",
        *(_side(study, pair, arm) for arm in study.sides(pair)),
        ratio,
        f"{SYMBOLS[verdict.verdict]} {verdict.verdict}",
    ]
    return f"| {' | '.join(cells)} |"


def _side(study: Study, pair: str, arm: Arm) -> str:
    value = study.arm(arm.id, "throughput_rps")
    named = same_sides(study, study.pairs) is None or study.pairs[pair].null
    about = ", ".join(part for part in (setup(arm) if named else "", own(arm)) if part)
    return f"{units.rps(value.value if value else None)}{f' ({protected(about)})' if about else ''}"


def _small(study: Study) -> str:
    info = study.run.info
    cores = len(info.placement.get("server", ()))
    cpu = escaped(str(of_servers(info).get("cpu", "unknown CPU")))
    return (
        f"{escaped(info.run)} · {info.plan.blocks} blocks · {cpu}, server on {cores} "
        f"core{'s' if cores != 1 else ''} · {escaped(' · '.join(_versions(info.versions)))}"
    )


def _versions(versions: Mapping[str, str]) -> Iterator[str]:
    """Ours one by one; those that another interpreter has after its path, which is said once."""
    by_interpreter: dict[str, list[str]] = {}
    for name, version in sorted(versions.items()):
        python, _, package = name.rpartition(": ")
        by_interpreter.setdefault(python, []).append(f"{package} {version}")
    yield from by_interpreter.pop("", ())
    yield from (f"{python}: {', '.join(its)}" for python, its in by_interpreter.items())
