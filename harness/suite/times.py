"""Where the time of a block goes: planned, and as it was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Annotated

from pydantic import Field

from harness.strict import STRICT

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds by what they go into; together they are all of a block."""

    __pydantic_config__ = STRICT

    load_s: Seconds = 0.0
    """Load that counts."""
    edges_s: Seconds = 0.0
    """Load before and after what counts: connections that open, the first answers, the last ones."""
    warm_up_s: Seconds = 0.0
    launch_s: Seconds = 0.0
    """Until every server answers and is quiet, without what of `stop_s` lies in between."""
    verify_s: Seconds = 0.0
    """Answers checked before the load and after it."""
    stop_s: Seconds = 0.0
    """Servers asked to stop, and what is left of that when those of the next block are ready."""
    waiting_s: Seconds = 0.0
    """All the rest: the harness and the generator wait for each other, services are looked after, rows are written."""

    @property
    def total_s(self) -> float:
        """All of it."""
        return sum(self.by_name.values())

    @property
    def by_name(self) -> dict[str, float]:
        """Seconds by name, in words: `warm-up`, not `warm_up_s`."""
        return {field.name.removesuffix("_s").replace("_", "-"): getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def summed(times: Iterable[Times]) -> Times:
        """All of them together."""
        every = list(times)
        return Times(**{field.name: sum(getattr(each, field.name) for each in every) for field in fields(Times)})
