"""Definitions, plans, trials and runs that were never measured, for tests: plain figures unless told otherwise.

Each builder makes a value that is true in itself (Little's law holds, percentiles rise) and takes overrides by name.
:func:`simulated_run` and :func:`block_values` draw with a known truth.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.record import GeneratorCheck, Latency, Run, RunInfo, SliceRow, Trial
from harness.spec.histogram import Histogram
from harness.spec.loads import WhenFull
from harness.suite import (
    NONE,
    Arm,
    Ask,
    Cell,
    Closed,
    Expect,
    Group,
    Load,
    Open,
    Pair,
    Phase,
    Plan,
    Scenario,
    Server,
    Target,
    Thresholds,
    Upstream,
    load_definitions,
    own_words,
)

FACTORS = load_definitions().factors
PLACEMENT: dict[str, tuple[int, ...]] = {"server": (0,), "generator": (1,), "services": (1,)}


def scenario(**changes: Any) -> Scenario:
    """`json`, which calls nothing."""
    given: dict[str, Any] = {
        "name": "json",
        "about": "A small JSON object.",
        "request": Ask(path="/json"),
        "expect": Expect(json={"message": "hello"}),
    }
    return Scenario(**given | changes)


def upstream_scenario(**changes: Any) -> Scenario:
    """`external-data`, which calls the upstream once."""
    given: dict[str, Any] = {
        "name": "external-data",
        "request": Ask(path="/external-data"),
        "expect": Expect(contains="data"),
        "upstream_calls": 1,
        "factors": ("pooling", "client"),
        "connections": 32,
    }
    return scenario(**given | changes)


def server(**changes: Any) -> Server:
    """`uvicorn`: an event loop."""
    given: dict[str, Any] = {
        "name": "uvicorn",
        "interface": "asgi",
        "argv": ("{python}", "-m", "uvicorn", "{app}"),
        "packages": ("uvicorn",),
        "slots": "loop",
    }
    return Server(**given | changes)


def gthread(**changes: Any) -> Server:
    """`gunicorn-gthread`: a slot a thread."""
    given: dict[str, Any] = {"name": "gunicorn-gthread", "interface": "wsgi", "slots": "threads"}
    return server(**given | changes)


def sync_server(**changes: Any) -> Server:
    """`gunicorn-sync`: one slot a worker, a connection a request."""
    given: dict[str, Any] = {"name": "gunicorn-sync", "interface": "wsgi", "slots": "one", "keep_alive": False}
    return server(**given | changes)


def target(**changes: Any) -> Target:
    """`fastapi`, with async handlers."""
    given: dict[str, Any] = {
        "name": "fastapi",
        "interface": "asgi",
        "app": "targets.fastapi_app:app",
        "packages": ("fastapi",),
        "handler": "async",
    }
    return Target(**given | changes)


def flask(**changes: Any) -> Target:
    """`flask`, whose handlers are sync."""
    given: dict[str, Any] = {
        "name": "flask",
        "interface": "wsgi",
        "app": "targets.flask_app:app",
        "packages": ("flask",),
        "handler": "sync",
    }
    return target(**given | changes)


FASTAPI, FLASK = target(), flask()
UVICORN, GTHREAD, SYNC = server(), gthread(), sync_server()
JSON, EXTERNAL = scenario(), upstream_scenario()


def loads(
    *phases: Phase, connections: int = 64, rate_rps: float | None = None, when_full: WhenFull = "queue"
) -> tuple[Load, ...]:
    """The loads of those phases, in their order."""
    made: dict[Phase, Load] = {
        "closed": Closed(connections=connections),
        "open": Open(connections=connections, rate_rps=rate_rps, when_full=when_full),
    }
    return tuple(made[phase] for phase in phases)


def in_phases(driven: Group, *phases: Phase) -> Group:
    """The group with other phases."""
    arms = tuple(
        dataclasses.replace(each, loads=loads(*phases, connections=each.connections, rate_rps=each.rate_rps))
        for each in driven.arms
    )
    return dataclasses.replace(driven, arms=arms)


def arm(
    name: str = "p1b",
    *,
    target: Target = FASTAPI,
    server: Server = UVICORN,
    scenario: Scenario = JSON,
    **changes: Any,
) -> Arm:
    """An arm of `target` on `server`, under closed load; what is not a field of Arm is a key of its cell."""
    fields = {field.name for field in dataclasses.fields(Arm)}
    connections = changes.pop("connections", scenario.connections)
    rate_rps = changes.pop("rate_rps", None)
    own = {key: value for key, value in changes.items() if key in fields}
    levels = {
        name: NONE if name == "middleware" else factor.level(target, server, scenario)
        for name, factor in FACTORS.items()
        if not factor.is_count
    }
    cell = Cell(
        target=target.name,
        interface=target.interface,
        server=server.name,
        scenario=scenario.name,
        threads=8 if server.slots == "threads" else 1,
        levels=tuple(levels.items()),
    ).at(**{key: value for key, value in changes.items() if key not in fields})
    given: dict[str, Any] = {
        "pair": name[:-1] if name.startswith("p") else None,
        "cell": cell,
        "own": own_words(FACTORS.values(), cell, server),
        "loads": loads("open" if rate_rps else "closed", connections=connections, rate_rps=rate_rps),
    }
    return Arm(id=name, target=target, server=server, scenario=scenario, **given | own)


def flask_arm(name: str = "p1a", **changes: Any) -> Arm:
    """An arm of Flask on gunicorn's gthread."""
    given: dict[str, Any] = {"target": FLASK, "server": GTHREAD}
    return arm(name, **given | changes)


def group(*arms: Arm, name: str = "g1", null: bool = False, **changes: Any) -> Group:
    """The arms, two by two, as pairs p1, p2 ... named by their first arm; Flask against FastAPI when none are given."""
    arms = arms or (flask_arm("p1a"), arm("p1b"))
    pairs = tuple(Pair(id=a.id[:-1], a=a.id, b=b.id, null=null) for a, b in zip(arms[::2], arms[1::2], strict=True))
    given: dict[str, Any] = {"scenario": arms[0].scenario.name, "pairs": pairs}
    return Group(id=name, arms=arms, **given | changes)


def plan(*groups: Group, **changes: Any) -> Plan:
    """A plan of five blocks of three rounds over the groups."""
    given: dict[str, Any] = {
        "suite": "quick",
        "about": "",
        "seed": 1,
        "groups": groups or (group(),),
        "blocks": 5,
        "rounds": 3,
        "slice_s": 0.5,
        "open_slice_s": 2.0,
        "margin": 0.05,
        "arrivals": "poisson",
        "upstream": Upstream(),
        "thresholds": Thresholds(),
        "factors": tuple(FACTORS.values()),
    }
    return Plan(**given | changes)


def slice_row(**changes: Any) -> SliceRow:
    """Half a second at 1,000 requests a second on 64 connections, using 90 % of a core."""
    rps = changes.get("throughput_rps", 1000.0)
    length = changes.get("length_s", 0.5)
    in_flight = changes.get("in_flight", 64.0)
    given: dict[str, Any] = {
        "round": 0,
        "start_s": 1.0,
        "length_s": length,
        "requests": round(rps * length),
        "errors": 0,
        "throughput_rps": rps,
        "half_rps": (rps, rps),
        "in_flight": in_flight,
        "mean_latency_us": in_flight / rps * 1e6 if rps else None,
        "cpu_s": 0.9 * length,
        "steal_fraction": 0.0,
    }
    return SliceRow(**given | changes)


def latency(p50: float = 60_000.0, **changes: Any) -> Latency:
    """Percentiles that rise from `p50`."""
    given: dict[str, Any] = {"p50": p50, "p90": p50 * 1.2, "p95": p50 * 1.3, "p99": p50 * 1.6, "p99_9": p50 * 2}
    return Latency(**given | {"max": p50 * 3, "mean": p50 * 1.05} | changes)


def generator(**changes: Any) -> GeneratorCheck:
    """A generator with time to spare."""
    given: dict[str, Any] = {"cpu_percent": 20.0, "waiting_fraction": 0.01, "gc_pause_s": 0.0, "valid": True}
    return GeneratorCheck(**given | changes)


def trial(arm: Arm | None = None, **changes: Any) -> Trial:
    """A valid closed trial of `arm`: totals follow from the slices unless they are given."""
    arm = arm or _default_arm()
    slices: tuple[SliceRow, ...] = changes.get("slices") or _slices(arm, **_take(changes, "rps", "rounds"))
    kept = [slice_ for slice_ in slices if slice_.round not in changes.get("dropped_rounds", ())]
    length = sum(slice_.length_s for slice_ in kept)
    good = sum(slice_.throughput_rps * slice_.length_s for slice_ in kept)
    phase, block = changes.get("phase", "closed"), changes.get("block", 0)
    given: dict[str, Any] = {
        "trial": f"{arm.id}/{block}/{phase}",
        "arm": arm.id,
        "pair": arm.id[:-1],
        "group": "g1",
        "block": block,
        "phase": phase,
        "cell": arm.cell,
        "load": loads(phase, connections=arm.connections, rate_rps=arm.rate_rps)[0],
        "started": "2026-01-01T00:00:00Z",
        "valid": True,
        "requests": sum(slice_.requests for slice_ in kept),
        "errors": sum(slice_.errors for slice_ in kept),
        "throughput_rps": good / length if length else None,
        "latency_us": latency(),
        "service_us": latency(),
        "slices": slices,
        "cpu_s_per_request": sum(slice_.cpu_s or 0.0 for slice_ in kept) / good if good else None,
        "generator_cpu_s_per_request": 0.0001,
        "memory_bytes": 50_000_000,
        "worker_shares": {str(100 + rank): 1 / arm.cell.workers for rank in range(arm.cell.workers)},
        "connections_per_request": 0.0,
        "steal_fraction": 0.0,
        "generator": generator(),
    }
    return Trial(**given | changes)


def histogram(values_us: Sequence[float] | NDArray[np.float64]) -> str:
    """Those response times as a record keeps them."""
    counted = Histogram()
    counted.record(np.asarray(values_us).astype(np.int64))
    return counted.encode()


def failed_trial(arm: Arm | None = None, error: str = "uvicorn: died", **changes: Any) -> Trial:
    """A row with an error and no figures."""
    arm = arm or _default_arm()
    whole = trial(arm, **changes)
    kept = ("trial", "arm", "pair", "group", "block", "phase", "cell", "load", "started")
    return Trial(error=error, **{name: getattr(whole, name) for name in kept})


def run(plan_: Plan | None = None, trials: tuple[Trial, ...] = (), **changes: Any) -> Run:
    """A run of `plan_` with those trials."""
    given: dict[str, Any] = {
        "run": "2026-01-01T000000Z-quick",
        "started": "2026-01-01T00:00:00Z",
        "gatebench": "0.1.0",
        "plan": plan_ or plan(),
        "versions": {"fastapi": "0.165.0", "flask": "3.1.0"},
        "environment": {"cpu": "Test CPU", "cpus": 2, "kernel": "6.0"},
        "placement": PLACEMENT,
    }
    path = changes.pop("path", "results/2026-01-01T000000Z-quick")
    return Run(path=path, info=RunInfo(**given | changes), trials=trials)


def simulated_run(
    plan_: Plan | None = None,
    rps: dict[str, float] | None = None,
    *,
    seed: int = 1,
    noise: float = 0.02,
    **changes: Any,
) -> Run:
    """Closed trials of every arm in every block, with throughput `rps` by arm (1,000 where not given).

    A block has a common speed and each arm of it a small one of its own; each slice scatters by `noise`.
    """
    plan_ = plan_ or plan()
    random = np.random.default_rng(seed)
    trials = []
    for number in range(plan_.blocks):
        for planned in plan_.groups:
            speed = random.normal(0, 0.05)
            for measured in planned.arms:
                level = math.log((rps or {}).get(measured.id, 1000.0)) + speed + random.normal(0, noise / 2)
                rates = np.exp(level + random.normal(0, noise, plan_.rounds))
                start = 30.0 * number + 1
                slices = tuple(
                    slice_row(round=index, start_s=start + index, throughput_rps=float(rate))
                    for index, rate in enumerate(rates)
                )
                trials.append(trial(measured, group=planned.id, block=number, slices=slices))
    return run(plan_, tuple(trials), **changes)


def block_values(
    random: np.random.Generator, runs: int, blocks: int, rounds: int, truth: float, scale: float = 1.0
) -> NDArray[np.float64]:
    """Mean log ratios by run and block, from throughputs of paired slices on a machine that drifts.

    The machine's speed is a random walk of 2 % a slice on a trend of its own; each launch of a server has a speed of
    its own, each slice scatters; both with Student's t of three degrees, whose tails are heavy. The order inside a pair
    is drawn.
    """
    steps = scale * random.normal(0, 0.02, (runs, blocks, rounds, 2))
    trend = scale * random.normal(0, 0.01, (runs, blocks, 1, 1)) * np.arange(2 * rounds).reshape(1, 1, rounds, 2)
    speed = np.cumsum(steps.reshape(runs, blocks, -1), axis=2).reshape(steps.shape) + trend
    slices = speed + scale * 0.02 * random.standard_t(3, steps.shape)
    launch = scale * 0.008 * random.standard_t(3, (runs, blocks, 1, 2))
    first = random.integers(0, 2, (runs, blocks, rounds, 1))
    logs = np.take_along_axis(slices, first, axis=3), np.take_along_axis(slices, 1 - first, axis=3)
    a, b = logs[0][..., 0] + launch[..., 0], logs[1][..., 0] + launch[..., 1] + truth
    return np.asarray((b - a).mean(axis=2), dtype=np.float64)


def _default_arm() -> Arm:
    return arm()


def _slices(arm: Arm, rps: float = 1000.0, rounds: int = 3) -> tuple[SliceRow, ...]:
    return tuple(
        slice_row(round=index, start_s=1.0 + index, throughput_rps=rps, in_flight=float(arm.connections))
        for index in range(rounds)
    )


def _take(changes: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: changes.pop(name) for name in names if name in changes}
