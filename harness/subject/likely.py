"""Finds what may be an app in a folder, by the text of its files; nothing of it is imported.

As `probe.py` it is run by the app's own interpreter, which knows the syntax of its files, as `python -c SOURCE OUT`: it
is never imported by ours, needs the standard library alone, of Python 3.8 or newer, and writes one JSON object to OUT.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

MAKERS = {
    "Flask",
    "FastAPI",
    "Starlette",
    "Quart",
    "Litestar",
    "Bottle",
    "get_wsgi_application",
    "get_asgi_application",
}
APPS = ("app", "application", "wsgi", "asgi", "wsgi_app", "asgi_app", "api", "server")
FACTORIES = ("create_app", "make_app", "get_app", "build_app", "create_application", "app_factory")
MODULES = ("app", "main", "wsgi", "asgi", "application", "server", "api", "run", "__init__")
SKIPPED = {
    "tests",
    "test",
    "docs",
    "examples",
    "node_modules",
    "venv",
    "env",
    "site-packages",
    "build",
    "dist",
    "migrations",
}
MOST_FILES, MOST_BYTES, DEEPEST = 2000, 1_000_000, 4


def find() -> dict[str, Any]:
    """Import strings of what may be apps, the likeliest first, each with the folder to import it from."""
    found = []
    for path in _files(Path()):
        root = Path("src") if path.parts[0] == "src" and not Path("src/__init__.py").exists() else Path()
        parts = path.relative_to(root).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        place = MODULES.index(parts[-1]) if parts[-1] in MODULES else len(MODULES)
        if module and all(part.isidentifier() for part in module.split(".")):
            for score, name in _names(path):
                found.append(((score, len(parts), place, module), {"folder": str(root), "app": module + ":" + name}))
    return {"candidates": [each for _, each in sorted(found, key=lambda item: item[0])]}


def _files(top: Path) -> Iterator[Path]:
    seen = 0
    for folder, below, names in os.walk(str(top)):
        here = Path(folder)
        deep = len(here.parts) >= DEEPEST
        below[:] = [] if deep else sorted(each for each in below if _wanted(here / each))
        for name in sorted(names):
            path = here / name
            if not name.endswith(".py") or name.startswith("test_") or name in {"setup.py", "manage.py", "conftest.py"}:
                continue
            seen += 1
            if seen > MOST_FILES:
                return
            if path.is_file() and path.stat().st_size <= MOST_BYTES:
                yield path


def _wanted(folder: Path) -> bool:
    hidden = folder.name.startswith((".", "__"))
    return not hidden and folder.name not in SKIPPED and not (folder / "pyvenv.cfg").exists()


def _names(path: Path) -> Iterator[tuple[int, str]]:
    """Score and name of each likely app in a file: 0 for what is one, 1 for what is called so, 2 for factories."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError):
        return
    for node in _statements(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _of_function(node)
        elif isinstance(node, ast.Assign):
            yield from _of_assignment(node.targets, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from _of_assignment([node.target], node.value)


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    arguments = [each.arg for each in node.args.args]
    if arguments in (["environ", "start_response"], ["scope", "receive", "send"]):
        yield 0, node.name
    elif node.name in FACTORIES and len(arguments) == len(node.args.defaults):
        yield 2, node.name + "()"


def _of_assignment(targets: Iterable[ast.expr], value: ast.expr) -> Iterator[tuple[int, str]]:
    for name in targets:
        if isinstance(name, ast.Name) and (_maker(value) in MAKERS or name.id in APPS):
            yield (0 if _maker(value) in MAKERS else 1), name.id


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those under `if` and `try` too, but not what only runs as a script."""
    for node in body:
        script = isinstance(node, ast.If) and "__main__" in ast.dump(node.test)
        if isinstance(node, (ast.If, ast.Try)) and not script:
            yield from _statements(node.body + node.orelse)
        else:
            yield node


def _maker(value: ast.expr) -> str:
    function = value.func if isinstance(value, ast.Call) else None
    return getattr(function, "id", getattr(function, "attr", ""))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(find()))
