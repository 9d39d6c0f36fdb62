"""The list of what a harness has started and not stopped yet, on disk: for whoever comes after it was killed.

Each harness has a file of its own, in a folder under the temporary directory that only its user may enter. The file is
called by the harness's id and start time, and is there only while something runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.machine.identity import Family, Identity, boot
from harness.machine.namespace import outside, pid_namespace

SUFFIX = ".families"


def folder() -> Path | None:
    """The folder of the ledgers, made where it is missing; None where we cannot have one that is ours alone."""
    path = Path(tempfile.gettempdir(), f"gatebench-{os.getuid()}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700  # noqa: PLR2004 - for us alone
    return path if private and status.st_uid == os.getuid() else None


def path_of(harness: Identity, within: Path) -> Path:
    """The ledger of that harness."""
    return within / f"{harness.pid}-{harness.start}{SUFFIX}"


def scratch_of(path: Path) -> Path:
    """The folder of that harness's temporary files, beside its ledger: it is removed with it."""
    return path.with_suffix(".scratch")


def encode(families: Iterable[Family]) -> str:
    """One line of JSON: where the ids hold, and the families."""
    rows = [[family.leader.pid, family.leader.start, family.mark] for family in families]
    here = {"boot": boot(), "namespace": pid_namespace(), "outside": outside().namespace}
    return json.dumps(here | {"families": rows}) + "\n"


def decode(text: str) -> list[Family]:
    """The families of a line that `encode` made; none where it is from before the machine's start, or not whole.

    None too where they lived in a namespace that their harness, which was of ours, had made: it has ended with it.
    Raises `OSError` when it is of another PID namespace: its ids say nothing here.
    """
    try:
        content = json.loads(text)
        if content["boot"] != boot():
            return []
        if content["namespace"] != pid_namespace():
            if content["outside"] == pid_namespace():
                return []
            raise OSError("another PID namespace")
        return [Family(Identity(int(pid), int(start)), str(mark)) for pid, start, mark in content["families"]]
    except (ValueError, KeyError, TypeError):
        return []


def write(path: Path, families: Iterable[Family]) -> None:
    """Replace the ledger as a whole, or remove it when there are no families; a full disk is no reason to stop."""
    families = list(families)
    with contextlib.suppress(OSError):
        if not families:
            path.unlink(missing_ok=True)
            return
        aside = path.with_suffix(".new")
        aside.write_text(encode(families), encoding="utf-8")
        aside.replace(path)


def ledgers(within: Path) -> Iterator[tuple[Identity, Path]]:
    """All ledgers, with the harness that each is of."""
    for path in sorted(within.glob(f"*{SUFFIX}")):
        pid, _, start = path.stem.partition("-")
        if pid.isdigit() and start.isdigit():
            yield Identity(int(pid), int(start)), path
