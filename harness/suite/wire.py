"""Checks of what is passed on: requests that HTTP does not allow, what no process can be given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from harness.suite.subjects import Ask

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A method and the name of a header (RFC 9110, section 5.6.2)."""
NOT_IN_PATH = re.compile(r"[^\x21-\x7e]")
"""A path is visible ASCII: a space would end it, other letters cannot be encoded (RFC 9112, section 3.2)."""
NOT_IN_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
"""Control characters, and characters beyond Latin-1 (RFC 9110, section 5.5)."""


def request_problems(request: Ask) -> Iterator[str]:
    """Whatever HTTP does not allow in a scenario's request, each with its key."""
    if not TOKEN.fullmatch(request.method):
        yield f"request.method: {request.method!r} is no HTTP method"
    if not request.path.startswith("/"):
        yield f"request.path: {request.path!r} must begin with /"
    if wrong := NOT_IN_PATH.search(request.path):
        yield f"request.path: {wrong[0]!r} cannot stand in it; write {quote(wrong[0])}"
    for name, value in request.headers.items():
        if not TOKEN.fullmatch(name):
            yield f"request.headers.{name!r}: no name that HTTP allows"
        if wrong := NOT_IN_VALUE.search(value):
            yield f"request.headers.{name!r}: {wrong[0]!r} cannot stand in its value"


def env_problems(env: Mapping[str, str]) -> Iterator[str]:
    """Whatever no process can have in its environment, each with its key."""
    for name, value in env.items():
        if not name or "=" in name or "\0" in name:
            yield f"env.{name!r}: a name may not be empty, or hold = or NUL"
        if "\0" in value:
            yield f"env.{name!r}: its value holds a NUL character"


def command_problems(key: str, commands: Sequence[Sequence[str]]) -> Iterator[str]:
    """Whatever no process can be started with, and each placeholder but {python}, of the commands under `key`."""
    for number, argv in enumerate(commands):
        for index, element in enumerate(argv):
            place = f"{key}[{number}][{index}]"
            if "\0" in element:
                yield f"{place}: holds a NUL character"
            yield from (
                f"{place}: unknown placeholder {name}; only {{python}} is filled here"
                for name in re.findall(r"\{\w+\}", element)
                if name != "{python}"
            )
