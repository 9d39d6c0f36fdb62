"""A comparison as the JSON that `gatebench compare --json` prints; docs/FORMAT.md documents its keys."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from harness.judge.verdicts import Comparison


def as_json(comparison: Comparison) -> dict[str, Any]:
    """`pairs`, `noise` (of the primary metric; null without an A/A pair), `effects`, and what goes with them."""
    primary = [one for one in comparison.noise if one.metric == "throughput_rps"] or list(comparison.noise)
    answer = {
        "runs": list(comparison.runs),
        "pairs": [asdict(one) for one in comparison.pairs],
        "noise": asdict(primary[0]) if primary else None,
        "noise_all": [asdict(one) for one in comparison.noise],
        "effects": [asdict(one) for one in comparison.effects],
        "caveats": [asdict(one) for one in comparison.caveats],
        "environment_changes": {name: list(pair) for name, pair in comparison.environment_changes.items()},
        "arms": [asdict(one) for one in comparison.arms],
    }
    return {key: _plain(value) for key, value in answer.items()}


def _plain(value: Any) -> Any:
    """Tuples as lists, and no number that JSON lacks."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
