"""Digests of the applications that are measured, and of the data that fill their requests.

With them a run does not go on with another code, or other requests, unnoticed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.suite import Plan, data


def digests(plan: Plan) -> dict[str, str]:
    """Target -> digest of its code, or its commit; `data of SCENARIO` -> that of its file; not what cannot be read."""
    arms = [arm for group in plan.groups for arm in group.arms]
    targets = {arm.target.name: arm.target for arm in arms if not arm.target.url}
    by_target = {name: target.commit or digest(Path(target.folder), target.app) for name, target in targets.items()}
    files = {arm.scenario.name: arm.scenario.data for arm in arms if arm.scenario.data}
    by_scenario = {f"data of {name}": data.digest(path) for name, path in files.items()}
    return {name: code for name, code in (by_target | by_scenario).items() if code is not None}


def digest(folder: Path, app: str) -> str | None:
    """SHA-256 of the Python files of the package or module that `app` is imported from; None where there are none.

    Of `shop.web:app` these are all Python files below `folder/shop`, or `folder/shop.py`. Other files in the folder
    do not count: a virtual environment or the results may lie there.
    """
    top = folder / app.partition(":")[0].partition(".")[0]
    total = hashlib.sha256()
    try:
        files = sorted(top.rglob("*.py")) if top.is_dir() else [top.with_name(f"{top.name}.py")]
        for file in files:
            # The name and the length keep two files apart from one that holds both texts.
            content = file.read_bytes()
            total.update(f"{file.relative_to(folder)}\0{len(content)}\0".encode(errors="surrogateescape"))
            total.update(content)
    except (OSError, ValueError):  # a ValueError: a NUL in its name
        return None
    return total.hexdigest() if files else None
