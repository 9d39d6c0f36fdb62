"""Another machine, and how a program of ours is started on it: by the user's own `ssh`, as the user has set it up."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from harness.spec.requests import STRICT

FORMS = "write ssh://[USER@]HOST[:PORT][/PATH/OF/PYTHON]"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_USER, _HOST = rf"^({_NAME})?$", rf"^({_NAME}|[0-9A-Fa-f:]+)$"
_URL = re.compile(rf"ssh://(?:({_NAME})@)?(?:({_NAME})|\[([0-9A-Fa-f:]+)\])(?::(\d{{1,5}}))?(/.*)?")
_WITH_PASSWORD = re.compile(r"ssh://[^/@]*:[^/]*@")
OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    # A link that is cut ends our ssh after six seconds.
    "ServerAliveInterval=2",
    "ServerAliveCountMax=3",
    # A connection of its own: one that is shared outlives us, and does not tell which port was forwarded.
    "ControlMaster=no",
    "ControlPath=none",
    "ExitOnForwardFailure=yes",
    "RemoteCommand=none",
    # Which port was forwarded is information.
    "LogLevel=INFO",
)
"""Of ssh_config(5). All else is the user's: keys, agent, known hosts, jumps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that is reached over SSH, and the gatebench on it."""

    __pydantic_config__ = STRICT

    host: Annotated[str, Field(pattern=_HOST)]
    """A name, an address, or an alias of the user's ssh_config. It can be no option of ssh."""
    user: Annotated[str, Field(pattern=_USER)] = ""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    python: str = ""
    """The interpreter that has gatebench; empty: `gatebench` is on PATH. A relative path starts at the user's home."""

    @property
    def name(self) -> str:
        """What it is called where people read it: `bench@10.0.0.2`."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def ssh(self) -> tuple[str, ...]:
        """The arguments by which a person reaches it."""
        return ("ssh", *(("-p", str(self.port)) if self.port else ()), self.name)

    def agent(self, forwarded: int | None = None) -> list[str]:
        """What starts our agent there, and talks to it over its standard input and output.

        With `forwarded` a port of its loopback, which its sshd chooses, leads to that port of ours.
        """
        argv = ["ssh", "-T", "-a", "-x"]
        for option in OPTIONS:
            argv += ["-o", option]
        if forwarded is not None:
            argv += ["-R", f"127.0.0.1:0:127.0.0.1:{forwarded}"]
        if self.port is not None:
            argv += ["-p", str(self.port)]
        # -P: the home folder may hold a harness/ of the user's own.
        called = [self.python, "-P", "-m", "harness"] if self.python else ["gatebench"]
        return [*argv, "--", self.name, shlex.join([*called, "agent"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The CPUs that a run's servers and services have, on their machine."""

    __pydantic_config__ = STRICT

    boot: str
    """Its start (`harness.machine.identity.boot`). A generator that sees the same one is on that machine, perhaps in a
    container: names tell nothing."""
    server: tuple[int, ...]
    services: tuple[int, ...]


def machine_of(url: str) -> Machine:
    """The machine of `ssh://[USER@]HOST[:PORT][/PATH/OF/PYTHON]`; raises `ValueError` that says what to write instead.

    As in git's addresses `/~/` is the user's home.
    """
    if _WITH_PASSWORD.match(url):
        raise ValueError("holds a password: ssh has keys and an agent for that")
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(FORMS)
    user, name, address, port, path = found.groups()
    if port is not None and not 1 <= int(port) <= 65535:  # noqa: PLR2004 - TCP's
        raise ValueError(f"port {port} is none: {FORMS}")
    python = path or ""
    if python.startswith("/~/"):
        python = python.removeprefix("/~/")
    return Machine(
        host=name or address, user=user or "", port=int(port) if port else None, python="" if python == "/" else python
    )
