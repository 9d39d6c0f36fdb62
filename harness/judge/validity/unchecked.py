"""What could not be checked of an arm that runs already, for nobody but its owner can."""

from __future__ import annotations

from collections.abc import Iterator

from harness.suite import Target


def unchecked(target: Target) -> Iterator[str]:
    """Each thing that is taken on trust, in words; nothing of a target that we launch."""
    if not target.url:
        return
    yield "versions"
    yield "what else its CPUs do"
    if target.pid is None:
        yield "its CPU time and memory"
        yield "the load of other processes"
        yield "whether a worker ended or started meanwhile"
