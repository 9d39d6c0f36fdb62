"""What a machine lacks is said before anything is spent, with what helps."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.spec.agents import SUBJECT, Hello, differing, line, said, versions
from harness.spec.machines import Machine
from harness.suite import Options, build, load_suite
from harness.trial.machines import Greeted, greet, greeted, install
from tests.trial.machine_support import machine, without_network

TEN = machine("ten")


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `ssh` that is called: a script of the test's own."""
    binaries = without_network(tmp_path)
    monkeypatch.setenv("PATH", str(binaries), prepend=os.pathsep)
    return binaries / "ssh"


def says(ssh: Path, *, code: int = 0, errors: str = "", answer: Hello | None = None) -> None:
    """Have `ssh` end so."""
    printed = ssh.with_name("printed")
    printed.write_bytes(b"Welcome to ten!\n" + (line(answer) if answer else b""))
    ssh.write_text(f"#!/bin/sh\ncat {printed}\necho '{errors}' >&2\nexit {code}\n")


def refused(there: Machine, *targets: tuple[str, int]) -> str:
    """The one line with which a machine is refused."""
    with pytest.raises(UsageError) as error:
        greet(there, targets)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.live
@pytest.mark.usefixtures("ssh")
def test_a_machine_says_what_it_is_and_what_it_cannot_reach() -> None:
    """By its agent."""
    assert greet(TEN, [])["cpus"] == os.cpu_count()
    assert refused(TEN, ("127.0.0.1", 1)).startswith(
        "ten cannot reach 127.0.0.1, port 1, on which there is a listener: "
    )


def test_other_versions_are_refused_with_the_line_that_installs_them(ssh: Path) -> None:
    """A package by pip, gatebench itself as a whole; another Python cannot be installed."""
    locust = versions()["locust"]
    says(ssh, answer=Hello(versions=versions() | {"locust": "1.0"}, machine={}))
    assert refused(TEN) == (
        f"ten: locust 1.0 there and {locust} here: install the same with `ssh ten {sys.executable} -m pip install "
        f"locust=={locust}`"
    )
    says(ssh, answer=Hello(versions=versions() | {"code": "0"}, machine={}))
    assert refused(TEN).endswith(f"here: install the same with {install(TEN)}")
    says(ssh, answer=Hello(versions=versions() | {"python": "3.9.1"}, machine={}))
    assert f"name an interpreter of Python {versions()['python']} in its address" in refused(TEN)


def test_the_line_that_installs_gatebench_says_how_it_is_called_then() -> None:
    """From a checkout, by what `make setup` does."""
    there = install(Machine(host="ten", user="bench", port=2222))
    assert there.startswith("`tar -C /")
    assert " | ssh -p 2222 bench@ten 'mkdir -p gatebench && tar" in there
    assert there.endswith("`, then it is ssh://bench@ten:2222/~/gatebench/.venv/bin/python")


@pytest.mark.parametrize(
    ("there", "code", "errors", "remedy"),
    [
        (TEN, 255, "ten: Permission denied (publickey).", "publickey).: `ssh ten true` must work without a question"),
        (TEN, 255, "Host key verification failed.", "failed.: `ssh ten true` must work without a question"),
        (TEN, 255, "Bad owner or permissions on /etc/ssh/ssh_config.d/a.conf", "set GATEBENCH_NAMESPACE=0"),
        (TEN, 2, "No such command agent", "ten has an older gatebench: install the same with `tar"),
        (TEN, 1, "python: No module named harness", f"{sys.executable} has no gatebench: install it with `tar"),
        (TEN, 127, "sh: 1: python: not found", f"ten has no {sys.executable}: install it with `tar"),
        (replace(TEN, python=""), 127, "sh: 1: gatebench: not found", "ten has no gatebench on PATH: install it with"),
        (TEN, 3, "", "ten: ssh ended with exit code 3"),
    ],
)
def test_a_machine_that_does_not_greet_is_refused_with_what_helps(
    ssh: Path, there: Machine, code: int, errors: str, remedy: str
) -> None:
    """Whatever a login shell prints before."""
    says(ssh, code=code, errors=errors)
    assert remedy in refused(there)


@pytest.mark.live
@pytest.mark.usefixtures("ssh")
def test_the_machines_of_a_plan_must_reach_where_its_servers_will_listen() -> None:
    """An address that is no longer of this machine is said, as of a run that is gone on with."""
    definitions, suite = load_suite("smoke")
    plan = build(definitions, suite, Options(seed=1, machines=(TEN, TEN), bind="127.0.0.2"))
    ten = greeted(plan).generators["ten"]
    assert ten["cpus"] == os.cpu_count()
    assert 0 < ten["round_trip_us"] < 1e6
    with pytest.raises(UsageError, match=r"servers cannot listen on 198\.51\.100\.77, which --bind has said"):
        greeted(replace(plan, bind="198.51.100.77"))
    assert greeted(replace(plan, machines=())) == Greeted()


def test_without_ssh_it_is_said(ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package that has it."""
    ssh.unlink()
    monkeypatch.setenv("PATH", str(ssh.parent))
    assert refused(TEN) == "no ssh on PATH: install it (Debian: apt install openssh-client)"


def test_only_what_an_agent_says_is_heard() -> None:
    """A login shell may say anything else."""
    assert said(b"Welcome!") is said(b'{"kind": "begin"}') is None
    assert differing(versions()) == {}
    assert differing({}, servers=True) == {name: ("none", here) for name, here in versions().items()}
    assert differing({}).keys() == versions().keys() - {SUBJECT}, "a generator needs no code of servers"
