"""Where the generators of a crew run: processes of this machine, or of others, where an agent starts them."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import IO, Protocol, TypeAlias

import gevent
from gevent import Greenlet
from gevent.event import AsyncResult

from harness.spec import dump
from harness.spec.agents import BEAT_S, Beat, Begin, Ended, Hello, differing, line, said
from harness.spec.machines import Machine, Taken
from loadtests.several.messages import Join

_END_S = 2.0
_LAST_WORDS_S = 0.5
_ALLOCATED = re.compile(rb"Allocated port (\d+) for remote forward")
"""What ssh says of a port that the other side has chosen."""
log = logging.getLogger("loadtests")


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a generator runs."""

    cpu: int | None = None
    """Of this machine."""
    machine: Machine | None = None
    number: int = 0
    """By which its agent chooses a core: one more for each that the machine has before it."""
    taken: Taken | None = None
    """What its agent keeps off."""

    @property
    def where(self) -> str:
        """` on bench@10.0.0.2`; empty on this machine."""
        return f" on {self.machine.name}" if self.machine is not None else ""


class Member(Protocol):
    """A generator's process, wherever it runs."""

    def gone(self) -> str | None:
        """How it ended; None while it runs."""

    def end(self) -> None:
        """End it."""


Start: TypeAlias = Callable[[Join, Seat], Member]
"""Starts a generator, which joins as it is told."""


class LocalMember:
    """A process of this machine. It ends when its standard input does, so at the latest with ours."""

    def __init__(self, join: Join) -> None:
        argv = [sys.executable, "-P", "-m", "loadtests", "generator"]
        self._popen = subprocess.Popen(argv, stdin=subprocess.PIPE)
        assert self._popen.stdin is not None  # noqa: S101 - it was asked for
        with suppress(BrokenPipeError):  # it has died already: `gone` says so
            self._popen.stdin.write(dump(join).encode() + b"\n")
            self._popen.stdin.flush()

    def gone(self) -> str | None:
        """See `Member`."""
        code = self._popen.poll()
        if code is None:
            return None
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def end(self) -> None:
        """See `Member`."""
        _end(self._popen)


class RemoteMember:
    """A process of another machine, that an agent there has started.

    Its link to the master goes through a port of that machine's loopback, which ssh forwards to ours.
    """

    def __init__(self, join: Join, machine: Machine, seat: Seat) -> None:
        """Start `ssh` to the machine of `seat`; what the agent says is heard meanwhile."""
        self._name = machine.name
        self._join = join
        self._seat = seat
        self._how: str | None = None
        self._last_line = ""
        self._greeted: AsyncResult[None] = AsyncResult()
        self._forwarded: AsyncResult[int] = AsyncResult()
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(machine.agent(join.port), stdin=pipe, stdout=pipe, stderr=pipe)
        self._errors = Greenlet.spawn(self._hear_ssh)
        self._others = [Greenlet.spawn(self._hear_agent), Greenlet.spawn(self._talk)]

    def gone(self) -> str | None:
        """See `Member`."""
        if self._how is not None or (code := self._popen.poll()) is None:
            return self._how
        self._errors.join(_LAST_WORDS_S)
        return f"lost its agent: ssh ended with exit code {code}{f': {self._last_line}' if self._last_line else ''}"

    def end(self) -> None:
        """See `Member`."""
        gevent.killall(self._others)  # which would write on
        _end(self._popen)
        self._errors.kill()

    def _hear_agent(self) -> None:
        for text in _lines(self._popen.stdout):
            match said(text):
                case Hello(versions=versions):
                    if other := differing(versions):
                        self._how = f"has become another: {', '.join(other)}"
                    self._greeted.set(None)
                case Ended(how=how):
                    self._how = how

    def _hear_ssh(self) -> None:
        for text in _lines(self._popen.stderr):
            if found := _ALLOCATED.search(text):
                self._forwarded.set(int(found[1]))
                continue
            self._last_line = text.decode("utf-8", "replace").strip() or self._last_line
            log.info("%s: %s", self._name, self._last_line)

    def _talk(self) -> None:
        """Have the generator started, and say that we are there, until nobody hears it any more."""
        self._greeted.get()
        port, stdin = self._forwarded.get(), self._popen.stdin
        assert port is not None  # noqa: S101 - it was set
        assert stdin is not None  # noqa: S101 - it was asked for
        join = replace(self._join, port=port, cpu=None)  # the agent knows the CPUs
        with suppress(OSError):  # `gone` says so
            begin = Begin(join=dump(join), seat=self._seat.number, taken=self._seat.taken)
            stdin.write(line(begin))
            while True:
                stdin.flush()
                gevent.sleep(BEAT_S)
                stdin.write(line(Beat()))


def member(join: Join, seat: Seat) -> Member:
    """Start a generator where its seat is."""
    if seat.machine is None:
        return LocalMember(join)
    return RemoteMember(join, seat.machine, seat)


def seats(count: int, machines: Sequence[Machine], taken: Taken | None = None) -> list[Seat]:
    """A seat for each of `count` generators: on `machines` in turns, or on the CPUs of this one in turns.

    Each machine begins one seat after the one before it, for what seems to be two may be containers of one.
    """
    if machines:
        names = list(dict.fromkeys(machine.name for machine in machines))
        return [
            Seat(machine=machine, number=names.index(machine.name) + _before(rank, machines), taken=taken)
            for rank, machine in enumerate(islice(cycle(machines), count))
        ]
    ours = sorted(os.sched_getaffinity(0))
    return [Seat(cpu=ours[rank % len(ours)]) for rank in range(count)]


def _before(rank: int, machines: Sequence[Machine]) -> int:
    """How many generators before `rank` are on its machine, which may be named more than once."""
    name = machines[rank % len(machines)].name
    return sum(machines[earlier % len(machines)].name == name for earlier in range(rank))


def _lines(pipe: IO[bytes] | None) -> Iterator[bytes]:
    """The lines of a pipe, as they come; other greenlets have their turn while none does."""
    assert pipe is not None  # noqa: S101 - it was asked for
    yield from iter(pipe.readline, b"")


def _end(popen: subprocess.Popen[bytes]) -> None:
    """Close its standard input, at which it ends, and kill it if it does not."""
    if popen.stdin is not None:
        with suppress(OSError):
            popen.stdin.close()
    try:
        popen.wait(_END_S)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()
