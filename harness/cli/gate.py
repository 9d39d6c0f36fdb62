"""The gate on the command line: its options, its decision, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from harness import units
from harness.cli.options import fraction
from harness.errors import GateError, UndecidedError, UsageError
from harness.judge.demands import GATED, THROUGHPUT, Demands
from harness.judge.verdicts import Gate, GateFinding

FailOnRegression = Annotated[
    str | None,
    typer.Option(
        metavar="5%",
        help="Exit 1 when a candidate (b) is worse by that margin (Holm), or spoiled a block.",
    ),
]
AllowFailedBlocks = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Of the gate: blocks, in all, that candidates may spoil; default 0."),
]
FailOnInconclusive = Annotated[
    bool, typer.Option("--fail-on-inconclusive", help="Of the gate: exit 1 also when a regression is not excluded.")
]
GateMetrics = Annotated[
    list[str] | None,
    typer.Option("--metric", metavar="NAME", help=f"Of the gate: {', '.join(GATED)}; throughput always. Repeatable."),
]


def demands(
    fail_on_regression: str | None,
    allow_failed_blocks: int | None,
    metrics: Sequence[str] | None,
    *,
    fail_on_inconclusive: bool,
) -> Demands | None:
    """What the options ask of the gate; None without `--fail-on-regression`. Raises `UsageError`."""
    if fail_on_regression is None:
        if allow_failed_blocks is not None or metrics or fail_on_inconclusive:
            raise UsageError(
                "--allow-failed-blocks, --metric and --fail-on-inconclusive go with --fail-on-regression 5%, the gate"
            )
        return None
    if unknown := [name for name in metrics or () if name not in GATED]:
        raise UsageError(f"--metric {unknown[0]!r}: it must be one of {', '.join(GATED)}")
    wanted = (THROUGHPUT, *(GATED[name] for name in metrics or ()))
    return Demands(
        threshold=fraction(fail_on_regression),
        metrics=tuple(dict.fromkeys(wanted)),
        allow_failed_blocks=allow_failed_blocks or 0,
        fail_on_inconclusive=fail_on_inconclusive,
    )


def enforce(decision: Gate) -> None:
    """Raise `GateError` when a candidate failed, else `UndecidedError` when a pair has no verdict."""
    if decision.failed:
        pairs = len({finding.pair for finding in decision.failed})
        head = f"the gate failed {pairs} of {units.plural(len(decision.pairs), 'pair')}"
        raise GateError("\n".join((head, *_lines(decision, decision.failed), *_lines(decision, decision.undecided))))
    if not decision.pairs:
        raise UndecidedError("the gate could not decide: there is no pair of a baseline and a candidate to judge")
    if decision.undecided:
        pairs = len({finding.pair for finding in decision.undecided})
        judged = units.plural(len(decision.pairs), "pair")
        head = f"the gate could not decide on {pairs} of {judged}, and no candidate failed: measure again"
        raise UndecidedError("\n".join((head, *_lines(decision, decision.undecided))))


def _lines(decision: Gate, findings: Sequence[GateFinding]) -> Iterator[str]:
    """A line for each finding; those that say the same share one."""
    said: dict[str, list[str]] = {}
    for finding in findings:
        name = f"{finding.pair} {finding.scenario}, {finding.candidate}"
        said.setdefault(_what(decision, finding), []).append(name)
    yield from (f"{'; '.join(names)}: {what}" for what, names in said.items())


def _what(decision: Gate, finding: GateFinding) -> str:
    ratio = units.ratio(finding.ratio, finding.low, finding.high)
    reasons = "; ".join(finding.reasons)
    match finding.kind:
        case "regression":
            return f"{finding.metric} is worse by more than {units.percent(decision.threshold)}: {ratio}"
        case "inconclusive":
            return f"{finding.metric} may be worse by more than {units.percent(decision.threshold)}: {ratio}"
        case "spoiled":
            count = units.plural(len(finding.blocks), "block")
            return f"the candidate spoiled {count}, {decision.allowed_failed_blocks} allowed in all: {reasons}"
        case "no verdict":
            return f"no verdict on {finding.metric} ({_by(finding)}): {reasons}"


def _by(finding: GateFinding) -> str:
    """By whose fault, in words."""
    known = [fault for fault in finding.faults if fault != "unclear"]
    unclear = ["the cause is unclear"] if "unclear" in finding.faults else []
    return ", and ".join([f"through the {' and the '.join(known)}"] * bool(known) + unclear)
