"""A TOML file as a plain document, or one message that says what is wrong with the file and what to do."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from harness.errors import DefinitionError, UsageError


def parse(path: Path) -> dict[str, Any]:
    """The document in `path`; raises `DefinitionError` with the file and the remedy where there is none."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except tomllib.TOMLDecodeError as error:
        problem = f"is not TOML: {error}; correct it there"
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8, as TOML must be: {error.reason} at byte {error.start}; save it as UTF-8"
    except ValueError:  # Python refuses to make a number of so many digits
        problem = "holds an integer of too many digits: write a number that fits into 64 bits"
    except RecursionError:
        problem = "is nested too deeply: write its tables and arrays flatter"
    except OSError as error:
        problem = f"cannot be read: {reason(error)}; name a file that you may read"
    raise DefinitionError([f"{path}: {problem}"])


def existing(name: str) -> Path | None:
    """The file at the path `name`, whatever its type; None where there is none or `name` can be no path at all.

    Raises `UsageError`, with the remedy, where it is a directory or may not be looked at.
    """
    path = Path(name)
    try:
        path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise UsageError(f"{name[:200]!r} cannot be read: {why}; name a file that you may read") from error
    if path.is_dir():
        raise UsageError(f"{name}: is a directory; name a suite's .toml file in it")
    return path.resolve()


def reason(error: OSError) -> str:
    """Why a file cannot be had, as the system says it."""
    return os.strerror(error.errno) if error.errno else str(error)
