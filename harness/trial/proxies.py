"""A server on another machine, as a block sees it: each question is a call of the agent there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from harness.errors import LaunchError, MemoryLimitError, ServiceError
from harness.machine import usage
from harness.machine.process import Process
from harness.strict import adapter
from harness.subject.answers import ASK_S
from harness.subject.launch import Launched
from harness.suite import Arm
from harness.trial.link import CALL_S
from harness.trial.observe import Observation


class Calls(Protocol):
    """The machine, as it is spoken to."""

    def call(self, what: str, patience_s: float = CALL_S, /, **told: Any) -> Any:
        """What comes of a call; raises `GatebenchError`."""


@dataclass(frozen=True, slots=True)
class ProcessThere:
    """The process of a server; where its machine is lost it is taken to have ended."""

    there: Calls
    arm: Arm

    @property
    def name(self) -> str:
        """As errors call it."""
        return f"{self.arm.cell.target} on {self.arm.cell.server}"

    def alive(self) -> bool:
        """Whether it runs."""
        try:
            return bool(self.there.call("alive", arm=self.arm.id))
        except ServiceError:
            return False

    def members(self) -> list[int]:
        """Ids there of the processes of its family; none where its machine is lost."""
        try:
            members: list[int] = self.there.call("members", arm=self.arm.id)
        except ServiceError:
            return []
        return members

    def ask_to_stop(self) -> None:
        """Ask it to stop."""
        with suppress(ServiceError):
            self.there.call("ask_to_stop", arm=self.arm.id)

    def with_log(self, what: str) -> str:
        """`NAME WHAT`, with the line of its log that matters."""
        try:
            return str(self.there.call("with_log", arm=self.arm.id, what=what))
        except ServiceError as error:
            return f"{self.name} {what}: {error}"

    def died(self) -> LaunchError:
        """How it ended."""
        try:
            self.there.call("died", arm=self.arm.id)
        except LaunchError as error:
            return error
        return LaunchError(f"{self.name} has ended")


@dataclass(frozen=True, slots=True)
class ServerThere(Launched):
    """An arm that was launched there. Its answers are asked for from here, as the load is."""

    process: ProcessThere  # type: ignore[assignment]

    def killed(self) -> MemoryLimitError | None:
        """See `Launched`."""
        try:
            self.process.there.call("killed", arm=self.arm.id)
        except MemoryLimitError as error:
            return error
        except ServiceError:
            return None
        return None

    def memory(self) -> None:
        """See `Launched`; its processes are seen from here only while it is driven."""

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """See `Launched`; when it answered is not known here, where clocks are others and calls come in turn."""
        asked, patience_s = self.asked(), timeout_s or self.arm.target.ready_s
        self.process.there.call(
            "ready",
            patience_s + ASK_S + CALL_S,
            arm=self.arm.id,
            ask=asked,
            patience_s=patience_s,
            good=bool(self.arm.target.ready_path),
        )


class WatchThere:
    """Takes the readings of a slice there, and those of the generator here; see `harness.trial.observe.Readings`."""

    def __init__(self, there: Calls) -> None:
        self._there = there
        self._generator: list[int] = []
        self._before = usage.Usage({})

    def begin(self, server: Launched, generator: Process) -> None:
        """See `Readings`."""
        self._generator = generator.members()
        self._there.call("begin", arm=server.arm.id)

    def opened(self) -> None:
        """See `Readings`."""
        self._there.call("opened")
        self._before = usage.usage(self._generator)

    def closed(self) -> Observation | None:
        """See `Readings`."""
        seen = self._there.call("closed")
        used_s = usage.usage(self._generator).total_since(self._before)
        return None if seen is None else replace(adapter(Observation).validate_python(seen), generator_cpu_s=used_s)

    def drained(self) -> usage.Memory | None:
        """See `Readings`."""
        seen = self._there.call("drained")
        return None if seen is None else adapter(usage.Memory).validate_python(seen)
