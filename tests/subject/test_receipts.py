"""No version, no measurement."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace

import pytest

from harness.errors import LaunchError
from harness.machine import environment
from harness.subject.receipts import receipts
from harness.suite import Arm
from tests import factories

OTHER = "/srv/shop/bin/python"
HAS: dict[str, dict[str, str | None]] = {
    sys.executable: {"fastapi": "0.165.0", "uvicorn": "0.40.0", "flask": "3.1.0"},
    OTHER: {"fastapi": "0.135.0", "uvicorn": None},
}


@pytest.fixture(name="calls", autouse=True)
def _interpreters(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two interpreters that can be asked; every one that is."""
    calls: list[str] = []

    def receipt(python: str, packages: Iterable[str]) -> tuple[str, dict[str, str | None]]:
        calls.append(python)
        if python not in HAS:
            raise LaunchError(f"interpreter {python} cannot be run")
        return "CPython 3.11", {package: HAS[python].get(package) for package in packages}

    monkeypatch.setattr(environment, "receipt", receipt)
    return calls


def arm(name: str, python: str = sys.executable, **target: object) -> Arm:
    """An arm of FastAPI on uvicorn under that interpreter."""
    return factories.arm(name, target=factories.target(python=python, **target))


def test_every_version_is_on_the_receipt(calls: list[str]) -> None:
    """Of target and server, of what measures, and of gatebench; each interpreter is asked once."""
    receipt = receipts([arm("p1a"), arm("p1b", packages=("flask",))])
    assert receipt.missing == {}
    assert receipt.versions["python"] == "CPython 3.11"
    assert {"fastapi": "0.165.0", "uvicorn": "0.40.0", "flask": "3.1.0"}.items() <= receipt.versions.items()
    assert {"gatebench", "locust", "numpy"} <= set(receipt.versions)
    assert calls == [sys.executable]


def test_the_versions_of_another_interpreter_bear_its_name() -> None:
    """Two versions of one package can stand in one run."""
    versions = receipts([arm("p1a"), arm("p1b", OTHER)]).versions
    assert (versions["fastapi"], versions[f"{OTHER}: fastapi"]) == ("0.165.0", "0.135.0")


def test_an_arm_without_its_packages_cannot_be_launched() -> None:
    """It is said how to install them; the arms of another interpreter can."""
    receipt = receipts([arm("p1a"), arm("p1b", OTHER)])
    assert receipt.missing == {"p1b": f"{OTHER} lacks uvicorn: {OTHER} -m pip install uvicorn"}
    assert f"{OTHER}: uvicorn" not in receipt.versions


def test_an_arm_whose_interpreter_cannot_be_run_cannot_be_launched() -> None:
    """All the others can."""
    receipt = receipts([arm("p1a", "/no/such/python"), arm("p1b")])
    assert receipt.missing == {"p1a": "interpreter /no/such/python cannot be run"}
    assert receipt.versions["fastapi"] == "0.165.0"


def test_a_server_that_needs_a_program_is_not_launched_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of one that is there is recorded."""
    monkeypatch.setattr(environment, "program_version", {"nginx": "1.26.0"}.get)
    front = factories.server(name="front", programs=("nginx", "no-such"), packages=("uvicorn",))
    behind = factories.server(name="behind", programs=("nginx",), packages=("uvicorn",))
    arms = [replace(arm(name), server=server) for name, server in (("a", front), ("b", behind))]
    shown = receipts(arms)
    assert shown.missing == {"a": "front needs no-such: not on PATH; install that first"}
    assert shown.versions["nginx"] == "1.26.0"
    assert "no-such" not in shown.versions
