"""What is done before the first launch of a target, and after its last."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import LaunchError
from harness.subject.prepare import prepared
from tests import factories

pytestmark = [pytest.mark.live, pytest.mark.beside]


def write(word: str) -> tuple[str, ...]:
    """A command that appends a word to a file."""
    return ("/bin/sh", "-c", f"echo {word} >> said")


def test_the_targets_of_one_project_are_set_up_once_and_torn_down(tmp_path: Path) -> None:
    """In their folder, one command after the other."""
    changes = {"folder": str(tmp_path), "setup": (write("migrate"), write("seed")), "teardown": (write("drop"),)}
    arms = [factories.arm(name, target=factories.target(name=name, **changes)) for name in ("p1a", "p1b")]
    with prepared(arms, tmp_path / "logs") as missing:
        assert missing == {}
        assert (tmp_path / "said").read_text() == "migrate\nseed\n"
    assert (tmp_path / "said").read_text() == "migrate\nseed\ndrop\n"


def test_an_arm_that_cannot_be_set_up_is_told_and_torn_down(tmp_path: Path) -> None:
    """With the line of the log that matters; other arms are not touched."""
    fails = ("/bin/sh", "-c", "echo no such table >&2; exit 4")
    target = factories.target(folder=str(tmp_path), setup=(fails, write("seed")), teardown=(write("drop"),))
    arms = [factories.arm("p1a", target=target), factories.arm("p1b", target=factories.target())]
    with prepared(arms, tmp_path / "logs") as missing:
        assert missing.keys() == {"p1a"}
        assert "setup[0] of fastapi ended with exit code 4: no such table" in missing["p1a"]
    assert (tmp_path / "said").read_text() == "drop\n"


def test_a_teardown_that_fails_is_an_error_unless_another_ended_the_block(tmp_path: Path) -> None:
    """What ended it is told first."""
    arm = factories.arm("p1a", target=factories.target(folder=str(tmp_path), teardown=(("/bin/false",),)))
    with pytest.raises(LaunchError, match="teardown"), prepared([arm], tmp_path / "logs"):
        pass
    with pytest.raises(KeyboardInterrupt), prepared([arm], tmp_path / "logs"):
        raise KeyboardInterrupt
