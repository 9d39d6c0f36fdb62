"""Versions of our targets, one of which is current."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.subject.releases import Releases, releases
from tests import factories


def imported(made: Releases) -> str:
    """What a worker that starts now imports: the version of its files, and where they lie."""
    told = made.told(factories.arm("t1", pair=None))
    code = "from targets import flask_app, version; print(version.VERSION, flask_app.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=told.target.folder,
        env=told.target.env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_worker_that_starts_imports_the_version_that_is_current() -> None:
    """All of its files, from one moment to the next; nothing of them is left afterwards."""
    with releases() as made:
        app = made.current / "targets" / "flask_app.py"
        assert imported(made) == f"1 {app}"
        old = app.resolve()
        made.publish(2)
        assert imported(made) == f"2 {app}"
        assert app.resolve() != old
        assert app.read_bytes() == old.read_bytes()
        folder = made.folder
    assert not Path(folder).exists()
