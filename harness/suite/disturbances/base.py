"""What every kind of disturbance states: how long an episode is, what is offered, and what the victim must get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from harness.spec.loads import Open
from harness.strict import STRICT

Share = Annotated[float, Field(ge=0, lt=1)]
Seconds = Annotated[float, Field(ge=0.5, le=3600, allow_inf_nan=False)]


def as_tuple(value: Any) -> Any:
    """A list as a tuple: within a pair, whose levels are moved first, TOML's arrays are no longer JSON's."""
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """The victim is the scenario of the pair; its requests come at one rate before, during and after."""

    __pydantic_config__ = STRICT

    deadline_ms: Annotated[float, Field(gt=0, le=60_000, allow_inf_nan=False)] = 100.0
    """An answer that takes longer is late."""
    late_share: Share = 0.01
    """The victim breaks where a greater share of its requests is late or lost."""
    rate_share: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.1
    """Of the capacity of the pair's slower arm, offered to both; a pair's rate_rps takes its place."""
    before_s: Seconds = 2.0
    during_s: Seconds = 3.0
    after_s: Seconds = 10.0
    """At most: an episode ends when the victim has been well again for a second."""

    searched = False
    """Whether strengths between the stated ones are tried, and none beyond two that broke the victim."""
    keeps_processes = True
    """Whether the server's processes must all be there after it."""
    counted = False
    """Whether the servers count what they serve."""

    @property
    def strengths(self) -> tuple[int, ...]:
        """How much of it is done, one number an episode, rising; what is tried in any case."""
        return (1,)

    @property
    def versions(self) -> bool:
        """Whether it deploys new versions of the app's files, so that copies of them are served."""
        return False

    @property
    def asks(self) -> str | None:
        """Name of the scenario that it needs beside the victim's; None: none."""
        return None

    @property
    def patience_s(self) -> float | None:
        """How long the victim's clients wait for an answer before they close their connection; None: as any do."""
        return None

    def offered(self, load: Open, strength: int) -> Open:  # noqa: ARG002 - the load is the same, whatever is done
        """What the victim is offered in an episode of that strength, where `load` is what it is offered before it.

        Raises `ValueError` where that cannot be driven.
        """
        return load

    @property
    def deadline_us(self) -> int:
        """The deadline in microseconds."""
        return round(self.deadline_ms * 1000)

    @property
    def most_s(self) -> float:
        """The longest that an episode lasts, in seconds."""
        return self.before_s + self.during_s + self.after_s
