"""Work that two processes share: this one and a fork of it, which has all that this one has read."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import warnings
from collections.abc import Callable
from typing import NoReturn, TypeVar

T = TypeVar("T")

TICKET_BYTES = 2
MOST = 2**15
"""So many tickets fit into a pipe."""


def shared(make: Callable[[int], T], count: int) -> list[T]:
    """`make` of each number below `count`, in order; where there are two CPUs, two processes take turns at it.

    What `make` returns must survive pickling. What the fork fails to make is made here, so that an error is raised here
    as if there were no fork.
    """
    if count < 2 or count > MOST or len(os.sched_getaffinity(0)) < 2:  # noqa: PLR2004 - two processes
        return [make(number) for number in range(count)]
    made = _by_two(make, count)
    return [made[number] if number in made else make(number) for number in range(count)]


def _by_two(make: Callable[[int], T], count: int) -> dict[int, T]:
    """What both have made, by number; whichever is free takes the next."""
    tickets, ticketing = os.pipe()
    os.write(ticketing, b"".join(number.to_bytes(TICKET_BYTES, "little") for number in range(count)))
    os.close(ticketing)
    answer, answering = os.pipe()
    with os.fdopen(tickets, "rb", buffering=0), os.fdopen(answer, "rb") as answered:
        gc.freeze()  # a collection would touch the memory that both share, and so copy it
        try:
            pid = _fork()
            if pid == 0:
                _end(make, tickets, answering)
            os.close(answering)
            try:
                made = _taken(make, tickets)
                made |= _unpickled(answered.read()) if pid else {}
            except BaseException:
                if pid:
                    os.kill(pid, signal.SIGKILL)
                raise
            finally:
                if pid:
                    os.waitpid(pid, 0)
        finally:
            gc.unfreeze()
    return made


def _fork() -> int | None:
    """As `os.fork`; None where there can be no other process."""
    with warnings.catch_warnings():
        # The threads that there may be are those of numpy, which knows what to do in a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return os.fork()
        except OSError:
            return None


def _end(make: Callable[[int], T], tickets: int, answering: int) -> NoReturn:
    """What the fork does: take its turns, answer, and end without touching anything else that it has inherited."""
    with contextlib.suppress(BaseException):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other one hears it, and ends this one
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        content = pickle.dumps(_taken(make, tickets))
        with os.fdopen(answering, "wb") as file:
            file.write(content)
    os._exit(0)


def _taken(make: Callable[[int], T], tickets: int) -> dict[int, T]:
    """What this process makes: a number after the other, as long as there are any."""
    made = {}
    while ticket := os.read(tickets, TICKET_BYTES):
        number = int.from_bytes(ticket, "little")
        made[number] = make(number)
    return made


def _unpickled(content: bytes) -> dict[int, T]:
    """What the fork has made; nothing where it did not come to its end."""
    try:
        made: dict[int, T] = pickle.loads(content)  # noqa: S301 - from our own fork
    except (EOFError, pickle.UnpicklingError):
        return {}
    return made
