"""A comparison as the JSON that `gatebench compare --json` prints; docs/FORMAT.md documents its keys."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from harness.judge.verdicts import Comparison, Gate


def as_json(comparison: Comparison, gate: Gate | None = None) -> dict[str, Any]:
    """The comparison's fields as JSON values, and the decision of the gate, if there is one.

    `noise` is that of the primary metric, null without an A/A pair.
    """
    noise = [asdict(each) for each in comparison.noise]
    primary = [each for each in noise if each["metric"] == "throughput_rps"] or noise
    answer = {
        "runs": list(comparison.runs),
        "pairs": [asdict(verdict) for verdict in comparison.pairs],
        "noise": primary[0] if primary else None,
        "noise_all": noise,
        "effects": [asdict(effect) for effect in comparison.effects],
        "caveats": [asdict(caveat) for caveat in comparison.caveats],
        "environment_changes": {name: list(pair) for name, pair in comparison.environment_changes.items()},
        "unjudged": comparison.unjudged,
        "arms": [asdict(change) for change in comparison.arms],
        "gate": None if gate is None else asdict(gate),
    }
    return {key: _plain(value) for key, value in answer.items()}


def _plain(value: Any) -> Any:
    """Tuples become lists; infinity and NaN, which JSON does not have, become null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
