"""Versions of our targets, each a copy of all their files, one of which is current: what a deploy of new code changes.

As those deploy who put each version into a folder of its own, and a link on the one that is to be served. A worker
imports what the link leads to when it starts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.machine.guard import scratch
from harness.suite import Arm
from harness.suite.check_disturbance import TARGETS

VERSION = '"""The version of these files."""\n\nVERSION = {}\n'
"""What `targets/version.py` of a copy says: a worker counts what it serves under this number (`targets.served`)."""


@dataclass(frozen=True, slots=True)
class Releases:
    """The versions of one launch."""

    folder: Path

    @property
    def current(self) -> Path:
        """A link on the version that is to be served."""
        return self.folder / "current"

    def publish(self, version: int) -> None:
        """Make a copy that is of that version, then have the link lead there; raises `OSError`."""
        copy = self.folder / f"version-{version}"
        shutil.copytree(TARGETS, copy / TARGETS.name, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / TARGETS.name / "version.py").write_text(VERSION.format(version))
        link = self.folder / f"to-{version}"
        link.symlink_to(copy.name)
        link.replace(self.current)  # at once: a worker finds the old version or the new one

    def told(self, arm: Arm) -> Arm:
        """`arm` as it is launched: its target is imported from the current version."""
        path = os.pathsep.join(filter(None, (str(self.current), arm.target.env.get("PYTHONPATH"))))
        env = arm.target.env | {"PYTHONPATH": path}
        return replace(arm, target=replace(arm.target, folder=str(self.folder), env=env))


@contextmanager
def releases() -> Iterator[Releases]:
    """Releases of which the first is current; removed at the end. Raises `OSError` where there is no room for them."""
    with tempfile.TemporaryDirectory(prefix="releases-", dir=scratch()) as folder:
        made = Releases(Path(folder))
        made.publish(1)
        yield made
