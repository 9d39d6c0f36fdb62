"""An arm that serves in a block: launched, ready, and its answers known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from harness.machine.usage import Memory
from harness.subject.answers import ASK_S
from harness.subject.launch import Launched
from harness.suite import Prepared


@dataclass(frozen=True, slots=True)
class Known:
    """A request as it is sent, and what the server answers."""

    request: Prepared
    length: int
    """Of the body, in bytes."""
    sha256: str | None
    """Digest of the body; None where two answers were not the same to the byte, so that none can be held against it."""


@dataclass(frozen=True, slots=True)
class Serving:
    """An arm that runs and has answered rightly."""

    server: Launched
    known: tuple[Known, ...]
    first_answer_s: float | None = None
    """From the start of its process to its first answer; None where that was not seen."""
    memory: Memory | None = None
    """Before it was asked anything more than whether it is ready; None where it cannot be read."""

    @classmethod
    def of(cls, server: Launched, first_answer_s: float | None = None) -> Self:
        """Ask everything twice of a server that is ready, and note its answers; raises `AnswerError` of a wrong one."""
        memory = server.memory()
        return cls(server, tuple(_known(server, request) for request in server.requests()), first_answer_s, memory)

    @property
    def answer_bytes(self) -> int | None:
        """Length of the body of its answer; None where it answers several requests."""
        return self.known[0].length if len(self.known) == 1 else None

    def verify(self, timeout_s: float = ASK_S) -> None:
        """Ask each request of the scenario once more, of a mix with the first row; raises `AnswerError`."""
        first = {known.request.number: known.request for known in reversed(self.known)}
        for request in first.values():
            self.server.verify(request, timeout_s)


def _known(server: Launched, request: Prepared) -> Known:
    first, second = server.verify(request), server.verify(request)
    return Known(request, len(second.body), second.sha256 if first.body == second.body else None)
