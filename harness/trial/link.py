"""Our end of the talk with the agent on the servers' machine: calls, and a beat each second both ways."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from harness import errors
from harness.errors import GatebenchError, LaunchError, MemoryLimitError, ServiceError
from harness.machine import logs
from harness.machine.process import Process, running
from harness.spec.agents import BEAT_S, LOST_S, Answer, Beat, Call, Failure, Hello, line, said
from harness.spec.machines import Machine

CALL_S = 60.0
"""How long a call may take, where nothing else is said."""
END_S = 3.0
"""How long ssh may take to end, once its input is closed."""
KINDS: dict[str, type[GatebenchError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, GatebenchError)
}

T = TypeVar("T")


class Link:
    """A talk with one agent. It is lost once, and for good."""

    def __init__(self, machine: Machine, process: Process) -> None:
        """Use `linked`."""
        self._name = machine.name
        self._process = process
        self._answers: dict[int, Answer] = {}
        self._number = 0
        self._hello: Hello | None = None
        self._lost: str | None = None
        self._heard = time.monotonic()
        self._news = threading.Condition()
        self._writing = threading.Lock()
        self._closing = threading.Event()
        for target in (self._listen, self._beat):
            threading.Thread(target=target, daemon=True).start()

    def hello(self, patience_s: float) -> Hello:
        """What the agent says first; raises `ServiceError` where none greets."""
        return self._awaited(lambda: self._hello, patience_s, "no gatebench greets from there")

    def call(self, what: str, patience_s: float = CALL_S, /, **told: Any) -> Any:
        """What comes of a call; raises what it raised there, or `ServiceError` where the link is lost."""
        with self._news:
            self._number += 1
            number = self._number
        with suppress(OSError):  # it is lost, which is known soon
            self._write(line(Call(number=number, what=what, told=told)))
        answer = self._awaited(lambda: self._answers.pop(number, None), patience_s, f"no answer to {what}")
        if answer.failure is not None:
            raise raised(answer.failure)
        return answer.value

    def lost(self) -> ServiceError | None:
        """Why nothing more comes from there; None while something may."""
        return None if self._lost is None else ServiceError(f"the servers' machine {self._name} is lost: {self._lost}")

    def close(self) -> None:
        """Have the agent end what is left there, and end."""
        self._closing.set()
        if self._lost is not None:  # a write may be stuck
            self._process.popen.kill()
        self._lose("the talk is over")
        with self._writing, suppress(OSError):
            assert self._process.popen.stdin is not None  # noqa: S101 - it was asked for
            self._process.popen.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.popen.wait(END_S)

    def _awaited(self, found: Callable[[], T | None], patience_s: float, otherwise: str) -> T:
        deadline = time.monotonic() + patience_s
        with self._news:
            while (value := found()) is None:
                if lost := self.lost():
                    raise lost
                if (left_s := deadline - time.monotonic()) <= 0:
                    raise ServiceError(f"{self._name}: {otherwise} within {patience_s:.0f} s")
                self._news.wait(min(left_s, BEAT_S))
        return value

    def _listen(self) -> None:
        stdout = self._process.popen.stdout
        assert stdout is not None  # noqa: S101 - it was asked for
        with suppress(OSError, ValueError):  # ValueError: we have closed it
            for text in stdout:
                self._take(said(text))
        with suppress(subprocess.TimeoutExpired):
            self._process.popen.wait(END_S)
        self._lose(self._how())

    def _take(self, message: Any) -> None:
        with self._news:
            self._heard = time.monotonic()
            if isinstance(message, Hello):
                self._hello = message
            elif isinstance(message, Answer):
                self._answers[message.number] = message
            self._news.notify_all()

    def _beat(self) -> None:
        while not self._closing.wait(BEAT_S) and self._lost is None:
            if self._hello is not None and time.monotonic() - self._heard > LOST_S:
                self._lose("no heartbeat from it")
                self._process.popen.kill()
                return
            with suppress(OSError, ValueError):
                self._write(line(Beat()))

    def _write(self, data: bytes) -> None:
        with self._writing:
            stdin = self._process.popen.stdin
            assert stdin is not None  # noqa: S101 - it was asked for
            stdin.write(data)
            stdin.flush()

    def _lose(self, why: str) -> None:
        with self._news:
            self._lost = self._lost or why
            self._news.notify_all()

    def ended(self) -> tuple[int, str]:
        """The exit code of ssh, and what it has said; 0 while it runs."""
        return self._process.popen.returncode or 0, logs.tail(self._process.log, self._process.log_start)

    def _how(self) -> str:
        code, text = self.ended()
        why = logs.line_that_matters(text)
        return f"ssh ended with exit code {code}{f': {why}' if why else ''}"


@contextmanager
def linked(machine: Machine, log: Path) -> Iterator[Link]:
    """A talk with the agent of a machine, which greets later; what ssh says goes to `log`.

    Raises `LaunchError` where there is no ssh.
    """
    with running(machine.agent(), name=f"ssh to {machine.name}", log=log, pipes=("stdin", "stdout")) as process:
        link = Link(machine, process)
        try:
            yield link
        finally:
            link.close()


def raised(failure: Failure) -> GatebenchError:
    """The error of a call that failed."""
    if failure.kind == MemoryLimitError.__name__:
        return MemoryLimitError(failure.text, oom_kills=failure.oom_kills or 0, peak_bytes=failure.peak_bytes)
    kind = KINDS.get(failure.kind, ServiceError)
    return kind(failure.text) if issubclass(kind, LaunchError | errors.AnswerError) else ServiceError(failure.text)
