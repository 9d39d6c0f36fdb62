"""Checks of a pair's disturbance against what the pair names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.suite.disturbances import Episodes
from harness.suite.model import Definitions, PairDefinition
from harness.suite.names import unknown
from harness.suite.subjects import Target

TARGETS = Path(__file__).resolve().parents[2] / "targets"
"""The package of our own targets, of which there can be copies."""


def problems(pair: PairDefinition, definitions: Definitions) -> Iterator[str]:
    """It holds a single request of a scenario that is there; it deploys new versions of our own targets only."""
    if pair.disturbance is None:
        return
    yield from _asked(pair.disturbance, definitions)
    if pair.disturbance.versions:
        yield from (
            f"disturbance.how: a new version is a copy of gatebench's own targets, and {side.target} is none: reload "
            "starts workers that import an app of your own afresh"
            for side in (pair.a, pair.b)
            if side.target in definitions.targets and not is_ours(definitions.targets[side.target])
        )


def is_ours(target: Target) -> bool:
    """Whether its files are those of `targets/`."""
    return target.app.startswith(f"{TARGETS.name}.") and Path(target.folder) == TARGETS.parent


def _asked(disturbance: Episodes, definitions: Definitions) -> Iterator[str]:
    asked = disturbance.asks
    if asked is None:
        return
    if asked not in definitions.scenarios:
        yield f"disturbance.request: {unknown('scenario', asked, definitions.scenarios)}"
    elif definitions.scenarios[asked].mix:
        yield f"disturbance.request: {asked} is a mix; what is held is a single request"
