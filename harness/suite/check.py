"""What one definition cannot know by itself: references between them, and rules of the words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from harness.suite.model import PLACEHOLDERS, Definitions, PairDefinition, Server, Side, Suite


def check_server(server: Server) -> Iterator[str]:
    """Placeholders are a closed set, and those that a server needs are there."""
    for index, element in enumerate(server.argv):
        for name in re.findall(r"\{[^}]*\}", element):
            if name not in PLACEHOLDERS:
                yield f"argv[{index}]: unknown placeholder {name}; known are {', '.join(sorted(PLACEHOLDERS))}"
    text = " ".join(server.argv)
    needed = ["{port}", "{app}", *(["{threads}"] if server.slots == "threads" else [])]
    yield from (f"argv: must contain {name}" for name in needed if name not in text)


def check_suite(suite: Suite, known: Definitions) -> Iterator[str]:
    """Every pair names what exists, and asks of it what it can do."""
    if not suite.pairs:
        yield "pair: a suite needs at least one [[pair]]"
    if not suite.phases:
        yield "phases: at least one of closed, open"
    for index, pair in enumerate(suite.pairs):
        yield from (f"pair[{index}].{problem}" for problem in _check_pair(pair, known))


def _check_pair(pair: PairDefinition, known: Definitions) -> Iterator[str]:
    yield from _known("scenario", pair.scenario, known.scenarios)
    for letter, side in (("a", pair.a), ("b", pair.b)):
        yield from (f"{letter}.{problem}" for problem in _check_side(side, pair, known))


def _check_side(side: Side, pair: PairDefinition, known: Definitions) -> Iterator[str]:
    yield from _known("target", side.target, known.targets)
    yield from _known("server", side.server, known.servers)
    target, server = known.targets.get(side.target), known.servers.get(side.server)
    if target is None or server is None:
        return
    if target.interface != server.interface:
        yield f"server: {server.name} serves {server.interface}, {target.name} is {target.interface}"
    if pair.workers > 1 and not server.workers:
        yield f"server: {server.name} runs one worker process only; the pair asks for {pair.workers}"
    if side.threads is not None and side.threads > 1 and server.slots != "threads":
        yield f"threads: {server.name} has no threads to set"
    if side.client is not None and side.client not in target.clients:
        yield f"client: {target.name} has {', '.join(target.clients)}, not {side.client}"
    if side.middleware is not None and side.middleware not in target.middleware:
        yield f"middleware: {target.name} has {', '.join(target.middleware)}, not {side.middleware}"
    if side.gc not in target.gc:
        yield f"gc: {target.name} has {', '.join(target.gc)}, not {side.gc}"


def _known(key: str, name: str, names: Iterable[str]) -> Iterator[str]:
    if name not in names:
        near = difflib.get_close_matches(name, list(names), n=1)
        yield f"{key}: unknown {key} {name!r}{f'; did you mean {near[0]!r}?' if near else ''}"
