"""Finds out about an app from the inside: run by the app's own interpreter, in its folder, as `python -c SOURCE ...`.

It is never imported by ours. It needs the standard library alone, of Python 3.8 or newer, and writes one JSON object to
the file that it is told: what was found, or `error`. Calls:

    probe find OUT              import strings of what may be apps, from the text of the files; nothing is imported
    probe look OUT APP [PATH]   imports APP; how PATH is handled decides the handler
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

FRAMEWORKS = {
    "flask.app.Flask": ("flask", "wsgi", ("flask", "werkzeug")),
    "quart.app.Quart": ("quart", "asgi", ("quart",)),
    "fastapi.applications.FastAPI": ("fastapi", "asgi", ("fastapi", "starlette", "pydantic")),
    "starlette.applications.Starlette": ("starlette", "asgi", ("starlette",)),
    "django.core.handlers.wsgi.WSGIHandler": ("django", "wsgi", ("django",)),
    "django.core.handlers.asgi.ASGIHandler": ("django", "asgi", ("django", "asgiref")),
    "litestar.app.Litestar": ("litestar", "asgi", ("litestar",)),
    "falcon.app.App": ("falcon", "wsgi", ("falcon",)),
    "falcon.asgi.app.App": ("falcon", "asgi", ("falcon",)),
    "bottle.Bottle": ("bottle", "wsgi", ("bottle",)),
    "pyramid.router.Router": ("pyramid", "wsgi", ("pyramid",)),
    "a2wsgi.wsgi.WSGIMiddleware": ("a2wsgi", "asgi", ("a2wsgi",)),
    "a2wsgi.asgi.ASGIMiddleware": ("a2wsgi", "wsgi", ("a2wsgi",)),
    "asgiref.wsgi.WsgiToAsgi": ("asgiref", "asgi", ("asgiref",)),
}
"""Class -> framework, interface, distributions. Classes that derive from these are found too."""
BRIDGES = {"a2wsgi", "asgiref"}
"""They run a WSGI app in threads."""
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


def look(text: str, path: str = "") -> dict[str, Any]:
    """Import the app `text`; its interface, framework, handler and routes."""
    app = _loaded(text)
    framework, interface, packages = _framework(app) or ("", _by_signature(app), ())
    if interface is None:
        return {"error": _no_app(text, app)}
    inner, inside, more = _unwrapped(app)
    framework = framework or inside
    return {
        "interface": interface,
        "framework": framework,
        "packages": [name for name in dict.fromkeys((*packages, *more)) if _installed(name)],
        "handler": "sync" if interface == "wsgi" else _handler(inner, framework, path),
        "routes": list(dict.fromkeys(_routes(inner, inside))),
    }


def _unwrapped(app: Any) -> tuple[Any, str, tuple[str, ...]]:
    """The app that middleware and bridges are wrapped around, its framework, and the distributions on the way."""
    packages: tuple[str, ...] = ()
    for _ in range(5):  # an app may hold itself
        known = _framework(app)
        packages += known[2] if known else ()
        if known and known[0] not in BRIDGES:
            return app, known[0], packages
        app = next((getattr(app, name) for name in ("app", "wsgi_app", "application") if hasattr(app, name)), None)
    return app, "", packages


def _loaded(text: str) -> Any:
    module, _, name = text.partition(":")
    value: Any = importlib.import_module(module)
    call = name.endswith("()")
    for part in (name[:-2] if call else name).split("."):
        value = getattr(value, part)
    return value() if call else value


def _framework(app: Any) -> tuple[str, str, tuple[str, ...]] | None:
    for kind in type(app).__mro__:
        known = FRAMEWORKS.get(kind.__module__ + "." + kind.__qualname__)
        if known:
            return known
    return None


def _by_signature(app: Any) -> str | None:
    """The interface of a bare callable: two arguments are WSGI, three or a coroutine ASGI; None where it is neither."""
    if not callable(app) or inspect.isclass(app):
        return None
    function = app if inspect.isroutine(app) else type(app).__call__
    try:
        kinds = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = sum(each.kind in places and each.default is each.empty for each in kinds)
    if taken and inspect.iscoroutinefunction(function):
        return "asgi"
    return {2: "wsgi", 3: "asgi"}.get(taken)


def _no_app(text: str, app: Any) -> str:
    makes_one = callable(app) and not text.endswith(")")
    return "is neither a WSGI nor an ASGI app" + ("; if it makes one, write " + text + "()" if makes_one else "")


def _handler(app: Any, framework: str, path: str) -> str:
    """How an ASGI app handles `path`: on its loop, or in the threads of a pool."""
    if framework in BRIDGES:
        return "threadpool"
    # Django gives each request a thread of its own, so that nothing but its clients bounds a worker.
    if framework not in {"fastapi", "starlette"}:
        return "async"
    endpoint = _endpoint(getattr(app, "routes", ()), path.partition("?")[0])
    # What is no function is an ASGI app of its own, or a class whose methods are most often coroutines.
    return "threadpool" if inspect.isroutine(endpoint) and not inspect.iscoroutinefunction(endpoint) else "async"


def _endpoint(routes: Iterable[Any], path: str) -> Any:
    """What handles a GET of `path`, as Starlette and FastAPI order their routes; None where that cannot be told."""
    for listed in routes:
        route = getattr(listed, "starlette_route", None) or listed
        candidates = getattr(route, "effective_candidates", None)  # a router that FastAPI 0.130 or newer includes
        inner = candidates() if candidates else getattr(route, "routes", None)
        if inner:
            found = _endpoint(inner, path[len(getattr(route, "path", None) or "") :])
        else:
            mine = "GET" in (getattr(route, "methods", None) or ()) and route.path_regex.match(path)
            found = route.endpoint if mine else None
        if found is not None:
            return found
    return None


def _routes(app: Any, framework: str) -> list[str]:
    """The paths that take a GET, those with parameters among them."""
    try:
        if framework == "flask":
            return [
                rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and rule.endpoint != "static"
            ]
        if framework == "django":
            return list(_of_django(importlib.import_module("django.urls").get_resolver().url_patterns, "/"))
        if framework == "fastapi":
            return [path for path, methods in app.openapi().get("paths", {}).items() if "get" in methods]
        return list(_of_starlette(getattr(app, "routes", ()), "")) if framework == "starlette" else []
    except Exception as error:  # noqa: BLE001 - routes are a help, and an app may fail at them in any way
        sys.stderr.write("routes: " + repr(error) + "\n")
        return []


def _of_starlette(routes: Iterable[Any], before: str) -> Iterator[str]:
    for route in routes:
        if "GET" in (getattr(route, "methods", None) or ()):
            yield before + route.path
        elif getattr(route, "routes", None):
            yield from _of_starlette(route.routes, before + getattr(route, "path", ""))


def _of_django(patterns: Iterable[Any], before: str) -> Iterator[str]:
    for pattern in patterns:
        text = str(pattern.pattern).lstrip("^")
        if hasattr(pattern, "url_patterns"):
            if pattern.app_name != "admin":
                yield from _of_django(pattern.url_patterns, before + text)
        else:
            yield before + text.rstrip("$")


def _installed(name: str) -> bool:
    try:
        importlib.import_module("importlib.metadata").version(name)
    except Exception:  # noqa: BLE001 - for whatever reason: what has no version is in no receipt
        return False
    return True


def main(call: str, out: str, *arguments: str) -> None:
    """Do `call`, and write what it found or its error to the file `out`."""
    try:
        found = find() if call == "find" else look(*arguments)
    except BaseException as error:  # noqa: BLE001 - an app may end its process while it is imported
        text = str(error).strip().splitlines()
        found = {"error": "fails: " + type(error).__name__ + (": " + text[0] if text else "")}
    Path(out).write_text(json.dumps(found))
    os._exit(0)  # threads that the app has started are not waited for


if __name__ == "__main__":
    main(*sys.argv[1:])
