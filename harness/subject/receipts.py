"""Version receipts: what each interpreter has of the packages that its arms stand on."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import GatebenchError, LaunchError
from harness.machine import environment
from harness.subject.revisions import on_disk
from harness.suite import Arm


@dataclass(frozen=True, slots=True)
class Receipts:
    """The versions of everything that is measured with, and the arms that cannot be launched for want of a package."""

    versions: dict[str, str]
    """By package; those of an interpreter that is not our own as `INTERPRETER: PACKAGE`."""
    missing: dict[str, str]
    """By arm: what its interpreter lacks, and how to install it."""


def receipts(arms: Iterable[Arm]) -> Receipts:
    """Ask each interpreter once for the packages that its arms stand on. No version, no measurement."""
    by_python: dict[str, list[Arm]] = {}
    missing: dict[str, str] = {}
    called = {sys.executable: ""}
    for arm in arms:
        if arm.target.url:  # nobody can be asked
            continue
        try:
            there = on_disk(arm)
        except GatebenchError as error:
            missing[arm.id] = str(error)
            continue
        by_python.setdefault(there.target.python, []).append(there)
        if arm.target.requirements:  # the environment is made for this sitting: its path says nothing later
            called[there.target.python] = f"{arm.target.name}: "
    versions = {"gatebench": environment.version()} | environment.own_versions()
    for python, its_arms in by_python.items():
        packages = {package for arm in its_arms for package in _needs(arm)}
        try:
            name, installed = environment.receipt(python, packages)
        except LaunchError as error:
            missing |= {arm.id: str(error) for arm in its_arms}
            continue
        label = called.get(python, f"{python}: ")
        versions[f"{label}python"] = name
        versions |= {f"{label}{package}": version for package, version in installed.items() if version is not None}
        missing |= _missing(python, its_arms, installed)
    programs, without = _programs([arm for arms in by_python.values() for arm in arms])
    return Receipts(versions | programs, without | missing)


def _programs(arms: Sequence[Arm]) -> tuple[dict[str, str], dict[str, str]]:
    """The versions of the programs that servers need, and the arms whose server lacks one."""
    found = {name: environment.program_version(name) for arm in arms for name in arm.server.programs}
    lacks = {arm.id: [name for name in arm.server.programs if found[name] is None] for arm in arms}
    missing = {
        arm.id: f"{arm.server.name} needs {', '.join(lacks[arm.id])}: not on PATH; install that first"
        for arm in arms
        if lacks[arm.id]
    }
    return {name: version for name, version in found.items() if version is not None}, missing


def _missing(python: str, arms: Iterable[Arm], installed: Mapping[str, str | None]) -> dict[str, str]:
    missing = {}
    for arm in arms:
        lacks = sorted(package for package in _needs(arm) if installed[package] is None)
        if lacks:
            missing[arm.id] = f"{python} lacks {', '.join(lacks)}: {python} -m pip install {' '.join(lacks)}"
    return missing


def _needs(arm: Arm) -> set[str]:
    """Distributions that must be installed for `arm`."""
    return {*arm.target.packages, *arm.server.packages}
