"""What a target needs done before its first launch and after its last: the commands `setup` and `teardown`."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import LaunchError
from harness.machine.process import clean_environment, running
from harness.subject.revisions import on_disk
from harness.suite import Arm, Target

COMMAND_S = 600.0
"""How long one command may take."""
LOG = "setup.log"


@contextlib.contextmanager
def prepared(arms: Iterable[Arm], logs: Path) -> Iterator[dict[str, str]]:
    """Run the setup of the targets of `arms`, and their teardown when the block ends, however it ends.

    Targets with equal commands in one place, as the two sides of one project, are prepared once. Yields by arm why it
    cannot be launched. Raises `LaunchError` at the end where a teardown fails.
    """
    tasks: dict[str, tuple[Target, list[Arm]]] = {}
    for arm in map(on_disk, arms):
        target = arm.target
        if target.setup or target.teardown:
            key = repr((target.folder, target.python, target.env, target.setup, target.teardown))
            tasks.setdefault(key, (target, []))[1].append(arm)
    log, begun, missing = logs / LOG, list[Target](), dict[str, str]()
    try:
        for target, its_arms in tasks.values():
            begun.append(target)
            try:
                _run(target, "setup", target.setup, log)
            except LaunchError as error:
                missing |= {arm.id: str(error) for arm in its_arms}
        yield missing
    except BaseException:
        _tear_down(begun, log)  # what ended the block is told, not what may fail after it
        raise
    if problems := _tear_down(begun, log):
        raise LaunchError("; ".join(problems))


def _tear_down(targets: Iterable[Target], log: Path) -> list[str]:
    """Tear them all down, the last first; what failed."""
    problems = []
    for target in reversed(list(targets)):
        try:
            _run(target, "teardown", target.teardown, log)
        except LaunchError as error:
            problems.append(str(error))
    return problems


def _run(target: Target, what: str, commands: Iterable[tuple[str, ...]], log: Path) -> None:
    """Run the commands one after the other in the target's folder; raises `LaunchError` where one fails."""
    for number, argv in enumerate(commands):
        filled = [element.replace("{python}", target.python) for element in argv]
        env, name = clean_environment(target.env), f"{what}[{number}] of {target.name}"
        with running(filled, name=name, log=log, cwd=Path(target.folder), env=env) as process:
            try:
                code = process.popen.wait(COMMAND_S)
            except subprocess.TimeoutExpired:
                raise LaunchError(process.with_log(f"has not ended after {COMMAND_S:g} s")) from None
            if code:
                raise process.died()
