"""A pod: a CPU quota and a memory limit that a server has to live with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from harness import units
from harness.strict import STRICT

PERIOD_S = 0.1
"""The kernel hands out a quota anew after so long: its default, and Kubernetes'."""
LEAST_PERIODS = 20
"""Periods that a slice lasts at least: of fewer the two at its edges, which it has in part, would make up 10 %."""
SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def size(text: str) -> int:
    """Bytes of `1GiB`, `512MiB`, or a number of bytes; raises `ValueError`."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*(B|KiB|MiB|GiB|)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no amount: write 512MiB or 1GiB")
    return round(float(match[1]) * SIZES[match[2] or "B"])


Cpus = Annotated[float, Field(ge=0.01, le=1024, allow_inf_nan=False)]
"""CPUs' worth of time; the kernel gives no less than a hundredth."""
Limit = Annotated[int, Field(ge=1 << 20, le=1 << 50)]
"""Bytes, from one MiB on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What a server gets; None: as much as there is."""

    __pydantic_config__ = STRICT

    cpus: Cpus | None = None
    memory: Annotated[Limit | None, BeforeValidator(lambda given: size(given) if isinstance(given, str) else given)] = (
        None
    )
    """Bytes; in a file `512MiB`."""

    @model_validator(mode="before")
    @classmethod
    def _limits_something(cls, given: Any) -> Any:
        """Raise `ValueError` for a pod that limits nothing."""
        if given == {}:
            raise ValueError("must state cpus, memory, or both")
        return given

    @property
    def words(self) -> tuple[str, ...]:
        """`0.5 CPU`, `512 MiB`."""
        return (*([cpus(self.cpus)] if self.cpus else ()), *([units.bytes_(self.memory)] if self.memory else ()))


def cpus(count: float) -> str:
    """A quota in words: `0.5 CPU`, `2 CPUs`."""
    return f"{count:g} {'CPU' if count <= 1 else 'CPUs'}"
