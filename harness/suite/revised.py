"""A suite that compares two revisions of what it measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.errors import UsageError
from harness.suite.model import Definitions, Suite
from harness.suite.subjects import Target


def judged(suite: Suite) -> tuple[str, ...]:
    """The targets of side b, which are what a suite judges."""
    return tuple(dict.fromkeys(pair.b.target for pair in suite.pairs))


def revised(
    definitions: Definitions, suite: Suite, versions: Mapping[str, tuple[Target, ...]]
) -> tuple[Definitions, Suite]:
    """`suite` with the first version of each pair's b, by name of its target, as a and with the second as b.

    Pairs that differed in their a alone become one. Raises `UsageError` where a version has the name of a target.
    """
    added = {target.name: target for both in versions.values() for target in both}
    if taken := sorted(added.keys() & definitions.targets.keys()):
        raise UsageError(f"--rev: a target is called {taken[0]} already: call it something else")
    pairs = []
    for pair in suite.pairs:
        before, after = versions[pair.b.target]
        pairs.append(replace(pair, a=replace(pair.b, target=before.name), b=replace(pair.b, target=after.name)))
    return (
        replace(definitions, targets=definitions.targets | added),
        replace(suite, pairs=tuple(dict.fromkeys(pairs))),
    )
