"""The plan of pairs that never were: their scenarios, targets and servers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.suite import (
    Arm,
    Ask,
    Cell,
    Expect,
    Group,
    Pair,
    Plan,
    Scenario,
    Server,
    Target,
    Thresholds,
    Upstream,
    own_words,
)
from tests import factories

if TYPE_CHECKING:
    from harness.suite import Phase
    from tests.report.report_pairs import Fake, FakePair

ABOUT = {
    "json": "A small JSON object from memory. Nothing waits, nothing is computed: what is left is routing, "
    "serialization and the server itself.",
    "external-data": "The handler calls a slow API (20 ms) and passes its answer on. Blocking workers hold a slot "
    "while they wait; an event loop holds a socket.",
    "cached-data": "An expensive answer behind a cache of 300 s. Without a cache every request pays for the upstream "
    "call; with Redis it pays a round trip.",
    "cpu": "Pure computation: where async helps nothing.",
    "middleware": "The JSON answer under a stack of middleware.",
    "payload": "About 100 KB of JSON, serialized anew for every request.",
}
FACTORS: dict[str, tuple[Any, ...]] = {
    "external-data": ("pooling", "client"),
    "cached-data": ("cache",),
    "middleware": ("middleware",),
}
SERVERS = {
    "gunicorn-gthread": Server(
        name="gunicorn-gthread",
        interface="wsgi",
        argv=("{python}", "-m", "gunicorn", "-k", "gthread", "-w", "{workers}", "--threads", "{threads}", "{app}"),
        packages=("gunicorn",),
        slots="threads",
    ),
    "gunicorn-sync": Server(
        name="gunicorn-sync",
        interface="wsgi",
        argv=("{python}", "-m", "gunicorn", "-k", "sync", "-w", "{workers}", "{app}"),
        packages=("gunicorn",),
        slots="one",
        keep_alive=False,
    ),
    "uvicorn": Server(
        name="uvicorn",
        interface="asgi",
        argv=(
            "{python}",
            "-m",
            "uvicorn",
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--workers",
            "{workers}",
            "{app}",
        ),
        packages=("uvicorn", "uvloop", "httptools"),
        slots="loop",
    ),
    "granian-asgi": Server(
        name="granian-asgi",
        interface="asgi",
        argv=("{python}", "-m", "granian", "--interface", "asgi", "--workers", "{workers}", "{app}"),
        packages=("granian",),
        slots="loop",
    ),
}
TARGETS = {
    "flask": Target(name="flask", interface="wsgi", app="targets.flask_app:app", packages=("flask",), handler="sync"),
    "fastapi": Target(
        name="fastapi", interface="asgi", app="targets.fastapi_app:app", packages=("fastapi",), handler="async"
    ),
    "fastapi-blocking": Target(
        name="fastapi-blocking",
        interface="asgi",
        app="targets.fastapi_blocking:app",
        packages=("fastapi",),
        handler="blocking",
    ),
}


def scenario(name: str, about: str | None = None) -> Scenario:
    """A scenario of that name."""
    return Scenario(
        name=name,
        about=ABOUT.get(name, "") if about is None else about,
        request=Ask(path=f"/{name}"),
        expect=Expect(),
        factors=FACTORS.get(name, ()),
        upstream_calls=1 if name in {"external-data", "cached-data"} else 0,
    )


def _arm(identity: str, pair: FakePair, side: Fake, phases: tuple[Phase, ...]) -> Arm:
    target = TARGETS.get(side.target) or replace(TARGETS["flask"], name=side.target)
    server = SERVERS.get(side.server) or replace(SERVERS["gunicorn-gthread"], name=side.server)
    cell = Cell(
        target=side.target,
        interface=server.interface,
        server=side.server,
        scenario=pair.scenario,
        workers=pair.workers,
        threads=side.threads,
        levels=(
            ("pooling", pair.pooling),
            ("cache", pair.cache),
            ("client", side.client),
            ("middleware", side.middleware),
            ("gc", side.gc),
        ),
    )
    return Arm(
        id=identity,
        pair=identity[:-1],
        cell=cell,
        own=own_words(factories.FACTORS.values(), cell, server),
        loads=factories.loads(*phases, connections=pair.connections, rate_rps=pair.rate_rps),
        target=target,
        server=server,
        scenario=scenario(pair.scenario),
    )


def plan(pairs: list[FakePair], *, suite: str = "quick", blocks: int = 5, phases: tuple[Phase, ...]) -> Plan:
    """A plan of these pairs, a group a scenario."""
    groups: dict[tuple[str, bool], list[tuple[Pair, Arm, Arm]]] = {}
    for index, pair in enumerate(pairs, 1):
        driven: tuple[Phase, ...] = phases if pair.rate_rps is None else ("open",)
        sides = _arm(f"p{index}a", pair, pair.a, driven), _arm(f"p{index}b", pair, pair.b, driven)
        planned = Pair(id=f"p{index}", a=sides[0].id, b=sides[1].id, null=pair.null)
        groups.setdefault((pair.scenario, pair.rate_rps is not None), []).append((planned, *sides))
    return Plan(
        suite=suite,
        about="Six pairs that show what pooling, caching and workers do.",
        seed=1,
        groups=tuple(
            Group(
                id=f"g{index}",
                scenario=name,
                arms=tuple(arm for _, *sides in members for arm in sides),
                pairs=tuple(pair for pair, *_ in members),
            )
            for index, ((name, _), members) in enumerate(groups.items(), 1)
        ),
        blocks=blocks,
        rounds=3,
        slice_s=0.5,
        open_slice_s=2.0,
        margin=0.05,
        arrivals="poisson",
        upstream=Upstream(),
        thresholds=Thresholds(),
        factors=tuple(factories.FACTORS.values()),
    )
