"""Numbers in a suite that nothing could be measured by."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DefinitionError
from harness.suite import load_suite


@pytest.mark.parametrize(
    "key",
    [
        "blocks",
        "rounds",
        "margin",
        "slice_s",
        "open_slice_s",
        "group_arms",
        "thresholds.lateness_p99_us",
        "thresholds.generator_cpu_percent",
        "thresholds.generator_waiting",
        "thresholds.littles_law",
        "thresholds.halves",
        "thresholds.halves_z",
        "thresholds.errors_at_least",
        "upstream.delay_ms",
        "upstream.sigma",
        "upstream.busy_ms",
        "upstream.failure_rate",
    ],
)
@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "-1", "1e300", "100000000000000000000000000"])
def test_a_number_out_of_bounds_is_refused_with_file_and_key(tmp_path: Path, key: str, number: str) -> None:
    """A limit of infinity would switch the check off, and a delay of 1e300 would never end."""
    path = tmp_path / "own.toml"
    path.write_text(f'{key} = {number}\n[[pair]]\nscenario = "json"\n')
    with pytest.raises(DefinitionError) as caught:
        load_suite(str(path))
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: {key}: Input should be ")
