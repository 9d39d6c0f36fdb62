"""What stands in for another machine: an `ssh` that runs on this one what it is told to run there."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from harness.spec.machines import Machine

SSH = """#!/bin/sh
forwarded=
while [ "$1" != "--" ]; do
    [ "$1" = "-R" ] && forwarded="${2##*:}"
    shift
done
[ -n "$forwarded" ] && echo "Allocated port $forwarded for remote forward to 127.0.0.1:$forwarded" >&2
shift 2
export PYTHONPATH=ROOT
exec sh -c "$*"
"""
ROOT = Path(__file__).resolve().parent.parent.parent


def without_network(folder: Path) -> Path:
    """A folder for the beginning of PATH, with that `ssh` in it."""
    binaries = folder / "bin"
    binaries.mkdir()
    ssh = binaries / "ssh"
    ssh.write_text(SSH.replace("ROOT", shlex.quote(str(ROOT))))
    ssh.chmod(0o755)
    return binaries


def machine(host: str) -> Machine:
    """A machine that has the gatebench of this test."""
    return Machine(host=host, python=sys.executable)
