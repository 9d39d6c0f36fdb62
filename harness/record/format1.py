"""Records of format 1, read as what they are today.

Format 1 was written before factors and loads were values: a plan's arms had `connections` and `rate_rps`, groups their
`phases`, targets the levels of three factors as keys of their own, and a load every key of both kinds.
"""

from __future__ import annotations

from typing import Any

from harness.strict import adapter
from harness.suite import Cell, Factor, Server, own_words

FORMAT = 1

_CLIENTS = ("requests", "httpx", "httpx2", "aiohttp")
FACTORS = (
    Factor(
        name="pooling",
        effect="a connection pool",
        levels=("none", "pool"),
        default="pool",
        on="pair",
        by_scenario=True,
        env="GATEBENCH_POOLING",
        words={"none": "unpooled", "pool": "pooled"},
    ),
    Factor(
        name="cache",
        effect="a {high} cache",
        levels=("none", "memory", "redis"),
        default="none",
        on="pair",
        by_scenario=True,
        env="GATEBENCH_CACHE",
        words={"none": "no cache", "memory": "memory cache", "redis": "redis cache"},
        needs={"redis": "redis"},
        spares_upstream=("memory", "redis"),
    ),
    Factor(
        name="client",
        effect="{high} instead of {low}",
        levels=_CLIENTS,
        default="requests",
        on="side",
        by_scenario=True,
        env="GATEBENCH_CLIENT",
        words={client: client for client in _CLIENTS},
    ),
    Factor(
        name="workers",
        effect="{high} workers instead of {low}",
        levels="count",
        default=1,
        on="pair",
        words={"one": "worker"},
    ),
    Factor(
        name="threads",
        effect="{high} threads instead of {low}",
        levels="count",
        default=8,
        on="side",
        words={"one": "thread"},
    ),
    Factor(
        name="middleware",
        effect="{high} middleware instead of {low}",
        levels=("none", "pure", "base"),
        default="pure",
        on="side",
        by_scenario=True,
        env="GATEBENCH_MIDDLEWARE",
        words={"none": "", "pure": "pure", "base": "base"},
    ),
    Factor(name="gc", effect="gc {high}", levels=("none", "freeze"), default="none", on="side", env="GATEBENCH_GC"),
)
"""The factors that there were, as they are defined today."""
_LEVELS = {"clients": "client", "middleware": "middleware", "gc": "gc"}
"""Keys of a target that held the levels of a factor."""


def upgraded(table: dict[str, Any]) -> dict[str, Any]:
    """A row of trials.jsonl or run.json as format 2 has it; what is no table of format 1 is left for the parser."""
    row = table | {"format": FORMAT + 1}
    if "cell" in row:
        row["cell"] = _cell(row["cell"])
        row["load"] = _without_nulls(row["load"])
    if "plan" in row:
        row["plan"] = _plan(row["plan"])
    return row


def _plan(plan: dict[str, Any]) -> dict[str, Any]:
    factors = [adapter(Factor).dump_python(factor) for factor in FACTORS]
    return plan | {"factors": factors, "groups": [_group(group, plan["arrivals"]) for group in plan["groups"]]}


def _group(group: dict[str, Any], arrivals: str) -> dict[str, Any]:
    arms = [_arm(arm, group["phases"], arrivals) for arm in group["arms"]]
    return {key: value for key, value in group.items() if key != "phases"} | {"arms": arms}


def _arm(arm: dict[str, Any], phases: list[str], arrivals: str) -> dict[str, Any]:
    connections, rate_rps = arm["connections"], arm.get("rate_rps")
    loads: dict[str, dict[str, Any]] = {
        "closed": {"kind": "closed", "connections": connections},
        "open": {"kind": "open", "connections": connections, "rate_rps": rate_rps, "arrivals": arrivals},
    }
    kept = {key: value for key, value in arm.items() if key not in ("connections", "rate_rps")}
    cell = _cell(arm["cell"])
    own = own_words(FACTORS, adapter(Cell).validate_python(cell), adapter(Server).validate_python(arm["server"]))
    pair = arm["id"][:-1] if arm["id"].startswith("p") else None
    return kept | {
        "pair": pair,
        "cell": cell,
        "own": own,
        "loads": [loads[phase] for phase in phases],
        "target": _target(arm["target"]),
    }


def _target(target: dict[str, Any]) -> dict[str, Any]:
    levels = {_LEVELS[key]: value for key, value in target.items() if key in _LEVELS and value != ["none"]}
    return {key: value for key, value in target.items() if key not in _LEVELS} | {"levels": levels}


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    """The first runs had no factor gc."""
    return {"gc": "none"} | cell


def _without_nulls(load: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in load.items() if value is not None}
