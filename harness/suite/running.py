"""Checks of a target that runs already: nothing is launched, so that much cannot be asked of it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.suite.address import address_of
from harness.suite.model import Definitions, PairDefinition, Side
from harness.suite.subjects import Target

OF_A_LAUNCH = ("app", "bridge", "commit", "requirements", "env", "setup", "teardown")
"""Keys that say how a target is launched."""


def check_running(target: Target) -> Iterator[str]:
    """It has an app, or a URL and nothing that only a launch could use."""
    if not target.url:
        if not target.app:
            yield "app: missing: the import string module:app; or url, where it runs already"
        if target.pid is not None:
            yield "pid: goes with url: what is launched has the process that we start"
        return
    try:
        address_of(target.url)
    except ValueError as error:
        yield f"url: {target.url}: {error}"
    yield from (
        f"{key}: goes with no url: what runs already is not launched" for key in OF_A_LAUNCH if getattr(target, key)
    )


def running_side_problems(target: Target, side: Side, pair: PairDefinition, definitions: Definitions) -> Iterator[str]:
    """A side that runs already can be told nothing: no level, and not where our slow API is."""
    scenario = definitions.scenarios.get(pair.scenario)
    if scenario is not None and scenario.upstream_calls:
        yield f"target: {target.name} runs already and is not told of the slow API, which {scenario.name} calls"
    for name, _ in (*pair.levels, *side.levels):
        factor = definitions.factors.get(name)
        if factor is not None and not factor.is_count:
            yield f"{name}: {target.name} runs already and can be told no level: leave it out"
