"""Version receipts: what each interpreter has of the packages that its arms stand on."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import LaunchError
from harness.machine import environment
from harness.suite import Arm


@dataclass(frozen=True, slots=True)
class Receipts:
    """Every version that matters, and the arms that cannot be launched for want of one."""

    versions: dict[str, str]
    missing: dict[str, str]


def receipts(of: Iterable[Arm]) -> Receipts:
    """Ask each interpreter once for the packages that its arms stand on. No version, no measurement."""
    arms = list(of)
    wanted: dict[str, set[str]] = {}
    for arm in arms:
        wanted.setdefault(arm.target.python, set()).update(arm.target.packages, arm.server.packages)
    versions = {"gatebench": environment.version()} | environment.own_versions()
    missing: dict[str, str] = {}
    for python, packages in wanted.items():
        its = [arm for arm in arms if arm.target.python == python]
        try:
            name, found = environment.receipt(python, packages)
        except LaunchError as error:
            missing |= {arm.id: str(error) for arm in its}
            continue
        own = python == sys.executable
        label = "" if own else f"{python}: "
        versions[f"{label}python"] = name
        versions |= {f"{label}{package}": version for package, version in found.items() if version is not None}
        for arm in its:
            lacks = sorted(p for p in {*arm.target.packages, *arm.server.packages} if found[p] is None)
            if lacks:
                missing[arm.id] = f"{python} lacks {', '.join(lacks)}: {python} -m pip install {' '.join(lacks)}"
    return Receipts(versions, missing)
