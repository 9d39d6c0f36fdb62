"""Secrets stay out of the records: run.json holds a mask and a salted digest, and a resume reads them again.

The digest says whether what is read again is what the run was begun with. It is slow to compute (scrypt), so that a
weak password cannot be found from it by trying many.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from harness import masking
from harness.errors import GatebenchError, UsageError
from harness.machine.environment import REDIS_URL
from harness.record.rows import RunInfo
from harness.suite import Plan, load_suite, needs
from harness.suite.secrets import filled, masked, of_definitions, of_plan


def new_salt() -> str:
    """The salt of a run."""
    return secrets.token_hex(16)


def sealed(info: RunInfo) -> RunInfo:
    """`info` as it may stand in run.json."""
    found = of_plan(info.plan) | _of_redis(info.plan, os.environ)
    salt = info.salt or (new_salt() if found else "")  # none: a run that was begun before there were any
    return replace(
        info,
        plan=masked(info.plan),
        command=tuple(map(masking.mask, info.command)),
        salt=salt,
        secrets={place: _digest(salt, text) for place, text in found.items()},
    )


def unsealed(folder: Path, info: RunInfo) -> RunInfo:
    """`info` as read from run.json, with its secrets, read again from the suite file and the environment.

    Raises `UsageError` where the suite file cannot be read, or a secret is not the one that the run was begun with.
    """
    if not info.secrets:
        return info
    now = _of_suite(folder, info) | _of_redis(info.plan, os.environ)
    changed = [place for place, digest in info.secrets.items() if _digest(info.salt, now.get(place, "")) != digest]
    if changed:
        where = f" (suite file: {info.plan.file})" if info.plan.file else ""
        raise UsageError(
            f"{folder}: {', '.join(changed)}: not the secret that the run was begun with{where}. "
            "Put it back, or begin a new run"
        )
    return replace(info, plan=filled(info.plan, {place: now[place] for place in info.secrets}))


def _of_suite(folder: Path, info: RunInfo) -> dict[str, str]:
    """The secrets of the suite file as it is now; nothing where the run has none of them."""
    if not info.secrets.keys() - {REDIS_URL}:
        return {}
    try:
        return of_definitions(load_suite(info.plan.file)[0])
    except GatebenchError as error:
        raise UsageError(
            f"{folder}: its secrets are in no record, and the suite file that has them cannot be read: {error}. "
            f"Put {info.plan.file} back, or begin a new run"
        ) from error


def _of_redis(plan: Plan, environment: Mapping[str, str]) -> dict[str, str]:
    """The address of the Redis that the environment names, where the plan needs one and the address has a password."""
    arms = [arm for group in plan.groups for arm in group.arms]
    url = environment.get(REDIS_URL, "")
    return {REDIS_URL: url} if masking.mask(url) != url and "redis" in needs(arms, plan.factors) else {}


@cache
def _digest(salt: str, text: str) -> str:
    return hashlib.scrypt(
        text.encode("utf-8", "surrogateescape"), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32
    ).hex()
