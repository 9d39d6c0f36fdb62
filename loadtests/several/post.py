"""What makes messages that may come late, twice or not at all count once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gevent.event import Event

from loadtests.several.messages import Up

Answer = TypeVar("Answer", bound=Up)


class Inbox:
    """What generators have said, by kind, step and generator; only the first of several that are equal in these."""

    def __init__(self) -> None:
        self._messages: dict[tuple[type[Any], int, int], Any] = {}
        self._came = Event()

    def put(self, rank: int, message: Any) -> None:
        """Keep a message, unless it has come before."""
        self._messages.setdefault((type(message), getattr(message, "step", 0), rank), message)
        self._came.set()

    def get(self, kind: type[Answer], step: int, rank: int) -> Answer | None:
        """The message of that generator; None when it has not come."""
        found: Answer | None = self._messages.get((kind, step, rank))
        return found

    def wait(self, seconds: float) -> None:
        """Return when something has come, or after so many seconds."""
        self._came.wait(seconds)
        self._came.clear()

    def forget(self, before: int) -> None:
        """Forget what was said of steps before this one."""
        self._messages = {key: message for key, message in self._messages.items() if key[1] >= before}


def until_acknowledged(send: Callable[[], None], acknowledged: Event, every_s: float) -> None:
    """Send, and again every so often, until it is acknowledged."""
    while not acknowledged.is_set():
        send()
        acknowledged.wait(every_s)
