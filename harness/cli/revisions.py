"""The option that compares two revisions of an app, and the suite that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from harness.errors import UsageError
from harness.suite import Definitions, Suite, load_suite
from harness.suite.revised import judged, revised

Revisions = Annotated[
    list[str] | None,
    typer.Option(
        "--rev",
        metavar="REV",
        help="Twice: the app at this revision of its git repository as a, at that as b; `.`: its folder as it stands.",
    ),
]


def require_two(revs: Sequence[str], baseline: str | None) -> None:
    """Raise `UsageError` where there are not two revisions, or another baseline is asked for."""
    if len(revs) != 2:  # noqa: PLR2004 - the two sides of a pair
        raise UsageError(f"--rev {' --rev '.join(revs)}: name two, the baseline first: --rev main --rev HEAD")
    if baseline is not None:
        raise UsageError("either --baseline or --rev: the first revision is the baseline")


def suite_at(name: str, revs: Sequence[str], baseline: str | None = None) -> tuple[Definitions, Suite]:
    """The suite of that name or file, at two revisions where `revs` names them. Raises `UsageError`."""
    if not revs:
        return load_suite(name)
    require_two(revs, baseline)
    return at_revisions(*load_suite(name), revs)


def at_revisions(definitions: Definitions, suite: Suite, revs: Sequence[str]) -> tuple[Definitions, Suite]:
    """The suite with each pair's b at the first revision as a, and at the second as b. Raises `UsageError`."""
    from harness.subject.revisions import at

    return revised(definitions, suite, {name: at(definitions.targets[name], revs) for name in judged(suite)})
