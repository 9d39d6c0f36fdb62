"""The worked examples are what docs/EXAMPLES.md says; `bench/worked.py` goes their ways in earnest."""

from __future__ import annotations

import re
import shlex

import pytest

from bench import worked
from bench.reference import EXAMPLES, WORKED
from bench.worked import PARTS


@pytest.mark.parametrize("name", PARTS)
def test_an_example_pins_what_it_needs(name: str) -> None:
    """Every line to one version, and none names where it is from."""
    lines = (worked.EXAMPLES / name / "requirements.txt").read_text().split()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[\w-]+==[\w.]+", line)] == []


@pytest.mark.parametrize("name", WORKED)
def test_a_documented_example_is_called_as_it_is_tested(name: str) -> None:
    """Its preparation, its options and its path."""
    commands = EXAMPLES.read_text(encoding="utf-8").replace("\\\n", " ")
    typed = [shlex.split(line[2:], comments=True) for line in commands.splitlines() if line.startswith("$ ")]
    example = PARTS[name]
    for program, *arguments in example.steps:
        assert [f".venv/bin/{program}", *arguments] in typed
    assert ["gatebench", "init", *example.options, "--path", example.path, "--out", f"{name}.toml"] in typed
    for verb in ("verify", "run", "tune"):
        assert ["gatebench", verb, f"{name}.toml"] in typed
