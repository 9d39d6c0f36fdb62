"""CONTRIBUTING names only what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli import VERBS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def test_every_make_target_that_it_names_is_one() -> None:
    """In its commands and in its sentences."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^\$ )make ([a-z-]+)", PAGE, re.MULTILINE))
    assert named >= {"setup", "check", "test", "format", "lock"}
    assert named - targets == set()


def test_every_verb_that_it_names_is_one() -> None:
    """As a command of the environment that `make setup` makes."""
    named = set(re.findall(r"\.venv/bin/gatebench (\w+)", PAGE))
    assert named
    assert named - VERBS.keys() == set()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\b(?:bench|harness|tests|\.ci)/[\w/.]*\w", PAGE))))
def test_every_path_that_it_names_is_there(path: str) -> None:
    """Scripts, folders and tests."""
    assert (ROOT / path).exists()
