"""The steps of a tuning on disk, a line each, written as they end: `--resume` goes on from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.errors import RecordError, UsageError
from harness.judge.slo import Slo
from harness.record import durable
from harness.strict import STRICT, adapter
from harness.tune.blocks import BlockOutcome, Setup
from harness.tune.rate.asked import HEADROOM, Asked, RateBlock
from harness.tune.state import Question, Step, Tuning
from harness.tune.trials import RateTrial
from harness.tune.variants import VariantBlock

FILE = "steps.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The first line: the question. Every other line: one step, and the seconds that had passed when it ended.

    A line that has only the seconds says when a step broke off.
    """

    __pydantic_config__ = STRICT

    slo: Slo | None = None
    budget_s: float | None = None
    margin: float | None = None
    rate_rps: float | None = None
    headroom: float = HEADROOM
    elapsed_s: float = 0.0
    setup: Setup | None = None
    block: BlockOutcome | None = None
    trial: RateTrial | None = None
    asked: Asked | None = None
    rate_block: RateBlock | None = None
    variants: VariantBlock | None = None


KINDS: dict[type, str] = {
    Setup: "setup",
    BlockOutcome: "block",
    RateTrial: "trial",
    Asked: "asked",
    RateBlock: "rate_block",
    VariantBlock: "variants",
}
"""Key of each kind of step."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The file of one tuning."""

    path: Path

    def begin(self, question: Question) -> None:
        """Note the question."""
        self._add(
            Line(
                slo=question.slo,
                budget_s=question.budget_s,
                margin=question.margin,
                rate_rps=question.rate_rps,
                headroom=question.headroom,
            )
        )

    def append(self, step: Step | None, elapsed_s: float) -> None:
        """Note a step that has ended, or None of one that broke off, flushed to disk."""
        if step is None:
            self._add(Line(elapsed_s=elapsed_s))
            return
        self._add(Line(elapsed_s=elapsed_s, **{KINDS[type(step)]: step}))  # type: ignore[arg-type]  # the key goes with the type

    def resume(self) -> tuple[Question, Tuning]:
        """The question, and what is known so far; a torn last line is cut off.

        Raises `UsageError` where there is nothing to go on from, `RecordError` where a line is not what tune writes.
        """
        lines = [self._parsed(number, line) for number, line in enumerate(self._whole_lines(), 1)]
        first = lines[0] if lines else Line()
        setup = next((line.setup for line in lines if line.setup), None)
        asked = next((line.asked for line in lines if line.asked), None)
        begun = setup or asked
        if first.budget_s is None or first.margin is None or begun is None:
            raise UsageError(f"{self.path}: nothing was measured before it was interrupted: call gatebench tune again")
        question = Question(
            slo=first.slo,
            budget_s=first.budget_s,
            margin=first.margin,
            rate_rps=first.rate_rps,
            headroom=first.headroom,
        )
        tuning = Tuning(
            service=begun.service,
            setup=setup,
            asked=asked,
            blocks=[line.block for line in lines if line.block],
            trials=[line.trial for line in lines if line.trial],
            rate_blocks=[line.rate_block for line in lines if line.rate_block],
            variants=next((line.variants for line in reversed(lines) if line.variants), None),
            elapsed_s=lines[-1].elapsed_s,
        )
        return question, tuning

    def _whole_lines(self) -> list[bytes]:
        """The lines that end; a last one that does not was torn by a kill, and is cut off.

        The file is cut shorter where it lies: writing it again could lose all of it to a full disk or a second kill.
        """
        try:
            durable.cut_torn_line(self.path)
            return self.path.read_bytes().splitlines()
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read, so this tuning cannot be resumed: call it again") from error

    def _add(self, line: Line) -> None:
        folder = self.path.parent
        with (
            durable.explained(folder, f"gatebench tune --resume {folder}"),
            self.path.open("ab", buffering=0) as file,
        ):
            durable.append(file, adapter(Line).dump_json(line, exclude_defaults=True) + b"\n")

    def _parsed(self, number: int, line: bytes) -> Line:
        try:
            return adapter(Line).validate_json(line)
        except ValidationError as error:
            raise RecordError(
                f"{self.path}, line {number} is not what tune writes: {error.errors()[0]['msg']}"
            ) from error
