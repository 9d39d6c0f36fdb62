"""Finds out about an app from the inside: run by the app's own interpreter, in its folder, as `python -c SOURCE ...`.

It is never imported by ours. It needs the standard library alone, of Python 3.8 or newer, and writes one JSON object to
the file that it is told: what was found, or `error`. Its call:

    probe OUT APP [PATH]   imports APP; how PATH is handled decides the handler
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
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
LENDERS = {"run_in_executor", "to_thread", "run_in_threadpool", "run_sync", "sync_to_async"}
"""By which a coroutine hands work to threads: of asyncio, Starlette, AnyIO and asgiref."""


def look(text: str, path: str = "") -> dict[str, Any]:
    """Import the app `text`; its interface, framework, handler and routes."""
    app = _loaded(text)
    framework, interface, packages = _framework(app) or ("", _by_signature(app), ())
    if interface is None:
        return {"error": _no_app(text, app)}
    inner, inside, more = _unwrapped(app)
    framework = framework or inside
    known = [name for name in dict.fromkeys((*packages, *more)) if _installed(name)]
    return {
        "interface": interface,
        "framework": framework,
        "packages": list(dict.fromkeys((*_made_of(text.partition(":")[0], deep=not known), *known))),
        "handler": "sync" if interface == "wsgi" else _handler(inner, framework, path),
        "lends": _lends(inner, framework, path),
        "routes": list(dict.fromkeys(_routes(inner, inside))),
        "debug": _debug(inner, inside),
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


def _made_of(module: str, *, deep: bool) -> list[str]:
    """The distribution that a module is of, where it is an installed one; `deep`: those of what it names, too."""
    tops = [module.partition(".")[0]]
    for value in vars(sys.modules[module]).values() if deep else ():
        name = getattr(value, "__name__" if inspect.ismodule(value) else "__module__", None)
        tops += [name.partition(".")[0]] if isinstance(name, str) else []
    return sorted({name for top in tops for name in _distributions(top)})


def _distributions(top: str) -> Iterator[str]:
    """The distributions in the environment that a module is imported from; none for what lies in the app's folder."""
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    metadata = importlib.import_module("importlib.metadata")
    places = {os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    if not any(os.path.realpath(file).startswith(place + os.sep) for place in places):
        return
    by_module: dict[str, list[str]] = getattr(metadata, "packages_distributions", dict)()  # there from Python 3.10 on
    for name in by_module.get(top, ()):
        if os.path.realpath(str(metadata.distribution(name).locate_file(""))) in places:
            yield re.sub(r"[-_.]+", "-", name).lower()


def _debug(app: Any, framework: str) -> bool:
    """Whether it is told to help its developers, at the cost of its speed."""
    if framework == "django":
        return bool(importlib.import_module("django.conf").settings.DEBUG)
    return getattr(app, "debug", False) is True


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


def _lends(app: Any, framework: str, path: str) -> str:
    """By which of LENDERS the coroutine that answers `path` hands work to threads, or a function that it names."""
    if framework not in {"fastapi", "starlette"}:
        return ""
    endpoint = inspect.unwrap(_endpoint(getattr(app, "routes", ()), path.partition("?")[0]))
    if not inspect.iscoroutinefunction(endpoint):
        return ""
    named = [endpoint.__globals__.get(name) for name in endpoint.__code__.co_names]
    # By its type, for what stands for something else may fail at any other question.
    functions = [each for each in (endpoint, *named) if type(each) is types.FunctionType]
    return next((name for each in functions for name in each.__code__.co_names if name in LENDERS), "")


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


def main(out: str, *arguments: str) -> None:
    """Look at the app, and write what was found or the error to the file `out`."""
    try:
        found = look(*arguments)
    except BaseException as error:  # noqa: BLE001 - an app may end its process while it is imported
        text = str(error).strip().splitlines()
        found = {"error": "fails: " + type(error).__name__ + (": " + text[0] if text else "")}
    Path(out).write_text(json.dumps(found))
    os._exit(0)  # threads that the app has started are not waited for


if __name__ == "__main__":
    main(*sys.argv[1:])
