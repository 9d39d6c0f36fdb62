"""A small git repository of an app, for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

APP = """
def app(environ, start_response):
    body = b"{text}"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def git(folder: Path, *argv: str) -> str:
    """What git prints there."""
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    done = subprocess.run(["git", "-C", str(folder), *who, *argv], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, message: str, **files: str) -> str:
    """Write files, whose names have __ for a dot and ___ for a slash, and commit all; the commit."""
    for name, text in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def shop(folder: Path) -> tuple[str, str]:
    """A repository of two commits of `web/shop.py`, which answer differently; both commits. `old` names the first."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    first = commit(folder, "The shop", web___shop__py=APP.format(text="old"), requirements__txt="")
    git(folder, "branch", "old")
    return first, commit(folder, "A newer shop", web___shop__py=APP.format(text="new"))
