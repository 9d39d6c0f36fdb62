"""`gatebench doctor` says whether the machine is fit, to people and to programs."""

from __future__ import annotations

import json

import pytest

from harness.cli import doctor as verb
from harness.errors import GateError
from harness.machine.look import Finding

WELL = Finding("CPUs", "ok", "2 usable")
WARNED = Finding("Redis", "warning", "none", "error rows", "apt install redis-server")
UNFIT = Finding("kernel", "unfit", "no /proc/PID/schedstat", "nothing is known", "another kernel")


def examined(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    """Have the machine examined with that result."""
    monkeypatch.setattr(verb, "examine", lambda: iter(findings))


def test_each_finding_is_a_line_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard output; a warning is no failure."""
    examined(monkeypatch, WELL, WARNED)
    verb.doctor()
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == ["CPUs ok 2 usable", "Redis warning none error rows apt install redis-server"]


def test_an_unfit_machine_fails_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After every finding is told."""
    examined(monkeypatch, UNFIT, WELL)
    with pytest.raises(GateError, match="unfit: kernel: another kernel") as caught:
        verb.doctor()
    assert caught.value.exit_code == 1
    assert "2 usable" in capsys.readouterr().out


def test_a_program_gets_the_same_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing else on standard output."""
    examined(monkeypatch, WARNED, UNFIT)
    with pytest.raises(GateError):
        verb.doctor(as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "fit": False,
        "findings": [
            {
                "what": "Redis",
                "grade": "warning",
                "seen": "none",
                "effect": "error rows",
                "remedy": "apt install redis-server",
            },
            {
                "what": "kernel",
                "grade": "unfit",
                "seen": "no /proc/PID/schedstat",
                "effect": "nothing is known",
                "remedy": "another kernel",
            },
        ],
    }
