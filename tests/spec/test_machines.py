"""The address of a machine says how it is reached, and nothing that ssh or a shell would take for something else."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from pydantic import ValidationError

from harness.spec import dump, load
from harness.spec.machines import Machine, machine_of


@pytest.mark.parametrize(
    ("url", "machine"),
    [
        ("ssh://ten", Machine(host="ten")),
        ("ssh://bench@10.0.0.2", Machine(host="10.0.0.2", user="bench")),
        ("ssh://bench@10.0.0.2:2222/", Machine(host="10.0.0.2", user="bench", port=2222)),
        ("ssh://Ten/opt/venv/bin/python", Machine(host="Ten", python="/opt/venv/bin/python")),
        ("ssh://ten/~/gb/.venv/bin/python", Machine(host="ten", python="gb/.venv/bin/python")),
        ("ssh://[fe80::1]:22", Machine(host="fe80::1", port=22)),
    ],
)
def test_an_address_names_a_machine(url: str, machine: Machine) -> None:
    """And survives being written and read."""
    assert machine_of(url) == machine
    assert load(Machine, dump(machine)) == machine


@pytest.mark.parametrize(
    "url", ["", "ten", "http://ten", "ssh://", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://ten:0", "ssh://ten:99999"]
)
def test_what_is_no_address_is_refused_with_what_to_write(url: str) -> None:
    """An option of ssh among it."""
    with pytest.raises(ValueError, match=r"write ssh://\[USER@\]HOST\[:PORT\]\[/PATH/OF/PYTHON\]"):
        machine_of(url)


def test_a_password_is_refused_and_not_repeated() -> None:
    """For ssh has keys."""
    with pytest.raises(ValueError, match="holds a password") as refused:
        machine_of("ssh://bench:geheim@ten")
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("text", ['{"host": "-oProxyCommand=x"}', '{"host": "ten", "user": "-x"}', '{"host": "a\\nb"}'])
def test_no_record_names_an_option_of_ssh(text: str) -> None:
    """For a run that is gone on with names its machines."""
    with pytest.raises(ValidationError):
        load(Machine, text)


def test_the_far_shell_gets_the_interpreter_as_one_word() -> None:
    """Whatever its path holds."""
    argv = Machine(host="ten", python="/a b/$(touch x)/python").agent(forwarded=4000)
    assert argv[argv.index("-R") + 1] == "127.0.0.1:0:127.0.0.1:4000"
    assert argv[argv.index("--") + 1] == "ten"
    assert shlex.split(argv[-1]) == ["/a b/$(touch x)/python", "-P", "-m", "harness", "agent"]


def test_ssh_knows_every_option() -> None:
    """`ssh -G` reads a command line and connects to nothing."""
    argv = Machine(host="ten", user="bench", port=2222).agent(forwarded=4000)
    try:
        read = subprocess.run([argv[0], "-G", *argv[1:-1]], capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        pytest.skip("no ssh on PATH")
    assert read.returncode == 0, read.stderr
    settings = read.stdout.splitlines()
    assert {"hostname ten", "user bench", "port 2222", "batchmode yes", "serveraliveinterval 2"} <= set(settings)
