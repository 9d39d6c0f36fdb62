"""docker-compose.yml's profile `distributed`, without containers; `bench/containers.py` has real ones."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES = dict(re.findall(r"^  (\w+):\n((?:(?:    .*)?\n)+)", COMPOSE.split("\nservices:\n")[1], re.MULTILINE))
PYTHON = "/opt/gatebench/bin/python"
ARGUMENTS = 'echo "$0" "$@"\n'
GENERATORS = """
printf '10.9.0.4 STREAM generator\\n10.9.0.4 DGRAM\\n10.9.0.10 STREAM generator\\n10.9.0.10 DGRAM\\n'
"""


def script(service: str) -> str:
    """What a service runs in its shell, with its folders below the current one."""
    (block,) = re.findall(r"^ +- \|\n((?: {8}.*\n)+)", SERVICES[service], re.MULTILINE)
    return re.sub(r"/(?=(?:shared|keys)/)", "", textwrap.dedent(block).replace("$$", "$"))


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which scripts can be run: what they call prints its arguments, and there are two generators."""
    programs = {
        "getent": GENERATORS,
        "hostname": "echo 10.9.0.2 10.8.0.2\n",
        "timeout": "",
        "sleep": "",
        "ssh-agent": 'echo "$GATEBENCH_NAMESPACE"; exec "$@"\n',
        "ssh-add": "cat\n",
        "gatebench": ARGUMENTS,
    }
    for name, text in programs.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}")
        program.chmod(0o755)
    for name in ("shared/redis-password", "keys/harness"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("secret\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path


def harness(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the harness' container does with those arguments."""
    argv = ["sh", "-euc", script("harness"), "sh", *arguments]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=20, check=False)


def test_every_generator_that_compose_started_is_named_to_the_harness(called: Path) -> None:
    """Each address once, over ssh with the key of the volume, and the address that servers listen on."""
    done = harness(called, "run", "smoke")
    namespace, key, command = done.stdout.splitlines()
    assert (namespace, key) == ("0", "secret")
    on = [f"--on generator=ssh://gatebench@{address}:2222{PYTHON}" for address in ("10.9.0.10", "10.9.0.4")]
    assert command.endswith(" ".join(["gatebench run smoke --bind 10.9.0.2", *on]))


def test_a_run_that_is_gone_on_with_has_its_generators_on_record(called: Path) -> None:
    """The key is needed all the same."""
    *_, key, command = harness(called, "run", "--resume", "latest").stdout.splitlines()
    assert key == "secret"
    assert command.endswith("gatebench run --resume latest")


@pytest.mark.parametrize("arguments", [("list", "suites"), ("run", "smoke")])
def test_without_generators_or_a_run_the_harness_is_called_as_it_is(called: Path, arguments: tuple[str, ...]) -> None:
    """No ssh has a part in it."""
    if arguments[0] == "run":
        (called / "bin/getent").write_text("#!/bin/sh\nexit 2\n")
    (line,) = harness(called, *arguments).stdout.splitlines()
    assert line.endswith(" ".join(("gatebench", *arguments)))


@pytest.mark.parametrize(
    ("program", "says"),
    [("timeout", "the generator at 10.9.0.10 does not listen"), ("id", "ssh needs a user with a name")],
)
def test_what_keeps_generators_from_being_reached_is_said(called: Path, program: str, says: str) -> None:
    """In one line, with the exit code of bad usage."""
    (called / "bin" / program).write_text("#!/bin/sh\nexit 1\n")
    (called / "bin" / program).chmod(0o755)
    done = harness(called, "run", "smoke")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(says)


def test_a_generator_is_reached_from_within_compose_alone_and_by_key_alone() -> None:
    """It is there only with the profile, publishes nothing, and asks for no password."""
    block = SERVICES["generator"]
    assert "profiles: [distributed]" in block
    assert "ports:" not in block
    assert "-o AuthenticationMethods=publickey" in block
    assert "-o AllowTcpForwarding=remote" in block


def test_one_image_is_built_and_every_service_beside_the_harness_has_a_health_check() -> None:
    """Who builds again and again measures several."""
    assert SERVICES.keys() == {"redis", "upstream", "generator", "flask", "fastapi", "harness"}
    assert re.findall(r"^ +build: (.+)$", COMPOSE, re.MULTILINE) == ["."]
    assert [name for name, block in SERVICES.items() if "healthcheck:" not in block] == ["harness"]


def test_every_user_can_make_the_keys() -> None:
    """The first to mount their volume may be a harness of any user."""
    assert "RUN install -d -m 1777 /keys " in (ROOT / "Dockerfile").read_text()


def test_no_key_lies_in_the_image() -> None:
    """Debian makes host keys when it installs sshd: all who have the image would have them."""
    (step,) = re.findall(r"^RUN apt-get .*(?:\n    .*)*", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert "rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*" in step
