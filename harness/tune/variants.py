"""The settings that were chosen beside the same at another level of a factor that is for memory, such as `preload`.

Which factors these are is data (`for_memory`). What was chosen stays what it is: its capacity was measured as it is. So
this says what the other level would take, for a person to decide; pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness import units
from harness.strict import STRICT
from harness.suite import Arm, Factor, Level
from harness.tune.blocks import Measured
from harness.tune.candidates import Candidate
from harness.tune.rate.answer import ALIKE


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One level."""

    __pydantic_config__ = STRICT

    factor: str
    """Empty: the settings as they were chosen."""
    level: Level
    words: str
    """How reports call that level."""
    measured: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantBlock:
    """All of them, launched side by side and measured in one block of closed load."""

    __pydantic_config__ = STRICT

    candidate: Candidate
    variants: tuple[Variant, ...]
    """The first is what was chosen."""
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """One level, as an answer tells it."""

    __pydantic_config__ = STRICT

    factor: str
    level: Level
    words: str
    why: str | None
    """Why nothing is known of it."""
    throughput_rps: float | None
    memory_bytes: int | None
    shared_bytes: int | None
    shared_lost_bytes: int | None
    first_answer_s: float | None


def others(arm: Arm, factors: Iterable[Factor]) -> Iterator[tuple[Factor, Level]]:
    """The levels that `arm` could have of factors that are for memory, other than its own."""
    for factor in factors:
        if factor.for_memory:
            own = arm.cell.level(factor.name)
            yield from ((factor, level) for level in factor.levels_of(arm.target, arm.server) if level != own)


def rows(block: VariantBlock | None, chosen: Candidate | None) -> tuple[VariantRow, ...]:
    """What `block` says of what is chosen; nothing where it was made for other settings."""
    if block is None or block.candidate != chosen:
        return ()
    return tuple(
        VariantRow(
            factor=each.factor,
            level=each.level,
            words=each.words,
            why=each.measured.error,
            throughput_rps=each.measured.throughput_rps,
            memory_bytes=each.measured.memory_bytes,
            shared_bytes=each.measured.shared_bytes,
            shared_lost_bytes=each.measured.shared_lost_bytes,
            first_answer_s=each.measured.first_answer_s,
        )
        for each in block.variants
    )


def told(shown: Sequence[VariantRow], workers: int, margin: float) -> Iterator[str]:
    """A sentence for each other level that was measured, and what speaks for it."""
    if not shown or shown[0].why is not None:
        return
    chosen, *rest = shown
    for other in rest:
        if other.why is not None:
            yield f"{_called(other)}, it could not be measured: {other.why}."
        elif other.memory_bytes and chosen.memory_bytes and other.throughput_rps and chosen.throughput_rps:
            yield _compared(chosen, other, workers, margin)


def _compared(chosen: VariantRow, other: VariantRow, workers: int, margin: float) -> str:
    assert other.memory_bytes and chosen.memory_bytes  # noqa: S101, PT018 - the caller asks
    assert other.throughput_rps and chosen.throughput_rps  # noqa: S101, PT018 - the caller asks
    text = (
        f"{_called(other)}, in one block beside it, it takes {units.bytes_(other.memory_bytes)} in place of "
        f"{units.bytes_(chosen.memory_bytes)} ({_a_worker(other, workers)} a worker in place of "
        f"{_a_worker(chosen, workers)})"
    )
    if other.shared_bytes is not None and chosen.shared_bytes is not None:
        text += f", shares {units.bytes_(other.shared_bytes)} of it in place of {units.bytes_(chosen.shared_bytes)}"
    if other.shared_lost_bytes is not None and other.shared_lost_bytes > 0:
        text += f" (after the load {units.bytes_(other.shared_lost_bytes)} less than before)"
    if other.first_answer_s is not None and chosen.first_answer_s is not None:
        text += (
            f", first answers after {units.seconds(other.first_answer_s)} in place of "
            f"{units.seconds(chosen.first_answer_s)}"
        )
    text += f", and answers {units.rps(other.throughput_rps)} in place of {units.rps(chosen.throughput_rps)}"
    lighter = other.memory_bytes < (1 - ALIKE) * chosen.memory_bytes
    as_quick = other.throughput_rps >= (1 - margin) * chosen.throughput_rps
    speaks = "the cheaper way to deploy it, if the app bears it" if lighter and as_quick else "no reason to change it"
    return f"{text}: {speaks}."


def _called(row: VariantRow) -> str:
    words = row.words or f"{row.factor} {row.level}"
    return words[0].upper() + words[1:]


def _a_worker(row: VariantRow, workers: int) -> str:
    return units.bytes_(row.memory_bytes / workers if row.memory_bytes else None)
