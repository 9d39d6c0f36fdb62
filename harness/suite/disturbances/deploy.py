"""Deploys: the workers of a server are replaced while it serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from harness.suite.disturbances.base import Episodes, Seconds

How = Literal["reload", "restart", "kill", "recycle", "version"]
"""`reload`: the server's own, on its signal; `restart`: asked to stop, and started again when it has; `kill`: one of
its workers is killed, as the kernel does it to the one that takes too much memory; `recycle`: the server replaces each
worker by itself that has served so many requests, which all have in the middle of the disturbance; `version`: other
files are put in the place of the app's, then the server's own reload."""
WORDS: dict[How, str] = {
    "reload": "the server's own reload",
    "restart": "stop and start",
    "kill": "one worker killed",
    "recycle": "the recycling of workers",
    "version": "a new version",
}
SITUATIONS: dict[How, str] = {
    "reload": "at a reload",
    "restart": "at a restart",
    "kill": "at a killed worker",
    "recycle": "at recycled workers",
    "version": "at a new version",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy(Episodes):
    """So often in each block, an episode each, at half of what the pair's slower arm serves."""

    kind: Literal["deploy"] = "deploy"
    how: How
    times: Annotated[int, Field(ge=1, le=100)] = 1
    rate_share: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.5
    during_s: Seconds = 5.0
    """From the moment at which it is told to, as long as most deploys take."""

    keeps_processes = False
    counted = True

    @property
    def words(self) -> str:
        """What is done, in a few words."""
        return WORDS[self.how]

    @property
    def situation(self) -> str:
        """What the victim is in."""
        return SITUATIONS[self.how]

    @property
    def versions(self) -> bool:
        """Whether it deploys new versions of the app's files."""
        return self.how == "version"

    @property
    def signals(self) -> bool:
        """Whether it uses the server's own reload."""
        return self.how in ("reload", "version")

    @property
    def strengths(self) -> tuple[int, ...]:
        """The first, the second, and so on."""
        return tuple(range(1, self.times + 1))
