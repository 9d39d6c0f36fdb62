"""What all tests share."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# A shell starts what it puts into the background with SIGINT ignored, and children inherit that: the tests that press
# Ctrl-C would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder that holds harness/, targets/, docs/ and the rest."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _temporary_files_of_our_own() -> Iterator[None]:
    """Beside another process of the suite: in the common folder a harness sees the harnesses of all tests that run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    # Its name is short: sockets lie below it.
    with tempfile.TemporaryDirectory(prefix="gw", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        yield


@pytest.fixture(autouse=True)
def _no_time_for_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that is called in this process does not watch the machine for two seconds first."""
    monkeypatch.setattr("harness.machine.look.SECONDS", 0.0)
