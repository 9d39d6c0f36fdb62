"""The first suite of an app: which app, which servers, which request, as far as they can be found out."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import AnswerError, LaunchError, UsageError
from harness.machine.guard import scratch
from harness.machine.logs import one_line
from harness.subject.answers import MOVED, Answer, ask
from harness.subject.discover import App, Candidate, candidates, look
from harness.subject.launch import Launched, launch
from harness.subject.present import present
from harness.subject.services import Services
from harness.subject.sides import sides
from harness.suite import Arm, Ask, Definitions, Scenario, Side, Target
from harness.suite.own import closed_arms, request, with_own

MOST_LOOKED_AT = 8
"""Candidates that are imported, until there is one of each interface."""
MOST_ASKED = 20
"""Paths that are asked, until one is answered with success."""
OPENAPI = ("/openapi.json", "/swagger.json", "/api/openapi.json", "/api/schema/?format=json")
MOST_LETTERS = 60
"""Of the name of a scenario, which stands in the names of charts."""
LAST = re.compile(r"health|ready|live|ping|metrics|favicon|robots|docs|schema|openapi|swagger|logout", re.IGNORECASE)
"""Paths that are asked last: their answer is not what anybody deploys an app for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An app, as it is imported from a folder."""

    folder: Path
    app: str
    what: App


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """What the first suite of an app holds."""

    targets: tuple[Target, ...]
    frameworks: tuple[str, ...]
    sides: tuple[Side, Side]
    scenario: Scenario
    """With the present answer."""
    routes: tuple[str, ...]
    """All that take a GET."""
    note: str
    """What is compared, and why so."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the answer."""


def first(
    folder: Path,
    python: str,
    shipped: Definitions,
    *,
    app: str | None = None,
    other: str | None = None,
    path: str | None = None,
    env: Mapping[str, str] | None = None,
) -> First:
    """Find out about the app in `folder`; `app`, the one it is compared with, and `path` are stated.

    `env` is added to their environment. Raises `UsageError`, with the remedy.
    """
    found = apps(folder, python, app, other, env)
    targets = named(found, python, shipped.targets, env)
    chosen = sides(shipped, targets, stated=other is not None)
    found = tuple(each for each, target in zip(found, targets, strict=True) if target in chosen.targets)
    if path is None:
        common = [route for route in found[0].what.routes if all(route in each.what.routes for each in found)]
        (arm,) = closed_arms(with_own(shipped, chosen.targets, request("/")), chosen.sides[:1], request("/"))
        path = answered_path(arm, shipped, plain_routes(common))
    scenario = replace(request(path), name=_name_of(path), about=f"A GET of {path}.")
    asked = [_handling(each, target, path) for each, target in zip(found, chosen.targets, strict=True)]
    handling = [replace(target, handler=each.handler) for each, target in zip(asked, chosen.targets, strict=True)]
    known = with_own(shipped, handling, scenario)
    answered = present(closed_arms(known, chosen.sides, scenario), shipped.factors.values())
    return First(
        targets=tuple(handling),
        frameworks=tuple(each.what.framework for each in found),
        sides=chosen.sides,
        scenario=replace(scenario, expect=answered.expect),
        routes=found[0].what.routes,
        note=chosen.note,
        remarks=(
            *chosen.remarks,
            *(_in_debug_mode(each.app) for each in found if each.what.debug),
            *(_lent(each.app, path, what.lends) for each, what in zip(found, asked, strict=True) if what.lends),
            *answered.remarks,
        ),
    )


def _in_debug_mode(app: str) -> str:
    return f"{app} is in debug mode, which is slower and in which nobody deploys: switch it off before you measure"


def _lent(app: str, path: str, lender: str) -> str:
    return (
        f"{app} answers {path} in a coroutine that hands work to threads ({lender}): its handler is called async, and "
        "how many threads there are stands in no limit of the report"
    )


def _handling(found: Found, target: Target, path: str) -> App:
    """What the app says when it is asked for `path`: in an ASGI app each route may be handled in another way."""
    if found.what.interface == "wsgi":
        return found.what
    return look(found.folder, target.python, found.app, path, target.env)


def _name_of(path: str) -> str:
    """How the scenario of `path` is called."""
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", path).strip("-")
    return f"get-{words or 'root'}"[:MOST_LETTERS]


def apps(
    folder: Path,
    python: str,
    stated: str | None = None,
    other: str | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[Found, ...]:
    """The app that is stated, and the other one if that is; else the likeliest one in `folder`, and its twin if any.

    A twin is of the other interface and has a route with it in common; Django's wsgi.py and asgi.py serve one urlconf.
    Raises `UsageError` where there is no app, with why each candidate is none.
    """
    if stated is not None:
        named = [stated] if other is None else [stated, other]
        return tuple(Found(folder=folder, app=app, what=look(folder, python, app, env=env)) for app in named)
    found: list[Found] = []
    problems: list[str] = []
    for candidate in candidates(folder, python)[:MOST_LOOKED_AT]:
        if not _twin_wanted(found, candidate):
            continue
        place = folder / candidate.folder if candidate.folder != "." else folder
        try:
            found.append(Found(folder=place, app=candidate.app, what=look(place, python, candidate.app, env=env)))
        except UsageError as error:
            problems.append(f"  {error}")
    if not found:
        tried = "".join(f"\n{problem}" for problem in problems)
        raise UsageError(f"{folder}: no app is found by {python}: name it with --app module:app{tried}")
    first = found[0]
    twins = (each for each in found[1:] if _is_twin(first, each))
    return first, *([twin] if (twin := next(twins, None)) else [])


def _twin_wanted(found: Sequence[Found], candidate: Candidate) -> bool:
    """Whether a candidate may still tell something: a factory beside the app that it made does not."""
    if any(_is_twin(found[0], each) for each in found[1:]):
        return False
    modules = {each.app.partition(":")[0] for each in found}
    return not (candidate.app.endswith("()") and candidate.app.partition(":")[0] in modules)


def _is_twin(first: Found, other: Found) -> bool:
    one, two = first.what, other.what
    alike = bool({*one.routes} & {*two.routes}) or one.framework == two.framework == "django"
    return first.folder == other.folder and one.interface != two.interface and alike


def plain_routes(routes: Iterable[str]) -> list[str]:
    """The routes that can be asked as they are, the likeliest first."""
    plain = [route for route in routes if re.fullmatch(r"/[\w./~%:@-]*", route, re.ASCII)]
    return sorted(plain, key=lambda route: LAST.search(route) is not None)


def answered_path(arm: Arm, definitions: Definitions, routes: Sequence[str]) -> str:
    """Launch `arm`, and ask `routes`, or those of its OpenAPI document, or `/`, until one is answered with success.

    Raises `UsageError` where none is.
    """
    with tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as logs:
        try:
            with launch(arm, definitions.factors.values(), Services(), cpus=(), log=Path(logs, "first.log")) as server:
                server.wait_ready()
                paths = (list(routes) or plain_routes(_documented(server)) or ["/"])[:MOST_ASKED]
                answers: dict[str, str] = {}
                for path in paths:
                    answer = _asked(server, path)
                    if isinstance(answer, Answer) and answer.status < MOVED:
                        return path
                    answers[path] = f"status {answer.status}" if isinstance(answer, Answer) else answer
        except LaunchError as error:
            raise UsageError(str(error).partition("; log: ")[0]) from error  # the log goes with the folder
    listed = "; ".join(f"{path}: {what}" for path, what in answers.items())
    raise UsageError(f"no path is answered with success ({listed}): name one with --path")


def _asked(server: Launched, path: str) -> Answer | str:
    try:
        return ask(server.host, server.port, Ask(path=path))
    except AnswerError as error:
        return one_line(str(error))


def _documented(server: Launched) -> Iterator[str]:
    """The paths that take a GET, by the OpenAPI document that the app serves; nothing where it serves none."""
    for path in OPENAPI:
        answer = _asked(server, path)
        if isinstance(answer, Answer) and answer.status < MOVED:
            try:
                document = json.loads(answer.body)
                base = str(document.get("basePath", "")).rstrip("/")
                yield from (base + route for route, methods in document["paths"].items() if "get" in methods)
            except (ValueError, LookupError, TypeError, AttributeError):  # it is something else
                continue
            return


def named(
    found: Sequence[Found], python: str, taken: Iterable[str], env: Mapping[str, str] | None = None
) -> list[Target]:
    """The targets that were found, called by the name of their folder and, of two, by their interface or side."""
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", found[0].folder.resolve().name).strip("-") or "app"
    marks: list[str] = [each.what.interface for each in found]
    if len({*marks}) < len(marks):
        marks = ["a", "b"]
    names = [base] if len(found) == 1 else [f"{base}-{mark}" for mark in marks]
    known = set(taken)
    return [
        replace(each.what.target(each.app, each.folder, python, env), name=f"{name}-app" if name in known else name)
        for each, name in zip(found, names, strict=True)
    ]
