"""What the steps share: how a step is told, how it answers, and how it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn


def told(name: str) -> str:
    """What the step is told under `name`; empty where nothing."""
    return os.environ.get(name, "").strip()


def answer(**outputs: str) -> None:
    """Set outputs of the step; each is one line."""
    add("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in outputs.items()))


def add(name: str, text: str) -> None:
    """Add `text` to the file that the environment names; nothing outside of a job."""
    if path := told(name):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def notice(text: str) -> None:
    """Say something beside the job."""
    print(f"::notice title=gatebench::{text}", flush=True)


def stop(text: str) -> NoReturn:
    """End the step: its inputs cannot be what is meant."""
    print(f"::error title=gatebench::{text}", flush=True)
    sys.exit(2)
