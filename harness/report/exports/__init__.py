"""A run, or the difference of two, in the formats of other tools: JUnit XML, Bencher, github-action-benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.report.exports.base import Shown
from harness.report.exports.bmf import bmf
from harness.report.exports.github import bigger, smaller
from harness.report.exports.junit import junit

__all__ = ["FORMATS", "Shown"]

FORMATS: Mapping[str, Callable[[Shown], str]] = {
    "junit": junit,
    "bmf": bmf,
    "github-bigger": bigger,
    "github-smaller": smaller,
}
"""By the name that `--format` takes; each makes the whole text of a file."""
