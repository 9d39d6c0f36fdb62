"""The options that name an app of the user's own in place of a suite, and the suite that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import remarks
from harness.errors import GatebenchError, UsageError
from harness.suite import Arm, Definitions, Scenario, Side, Suite, Target, load_definitions
from harness.suite.own import closed_arms, pair_suite, request, require_no_secret, server_of, with_own

AppA = Annotated[
    str | None,
    typer.Option("--a", "--app", metavar="APP", help="Instead of a suite: side a, such as `shop:app`,"),
]
AppB = Annotated[str | None, typer.Option("--b", metavar="APP", help="and side b, such as `shop_async:create_app()`,")]
App = Annotated[
    str | None, typer.Option("--app", metavar="APP", help="Instead of a suite: your app, such as `shop:app`,")
]
Path_ = Annotated[
    str | None,
    typer.Option("--path", metavar="PATH", help="and what is asked of it with GET. Its answer now is expected."),
]
Python = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The app's interpreter; default: that of .venv or venv here, or of the environment."
    ),
]
ServerA = Annotated[str | None, typer.Option(metavar="S", help="What serves a; default: gunicorn-gthread or uvicorn.")]
ServerB = Annotated[str | None, typer.Option(metavar="S", help="What serves b; default: gunicorn-gthread or uvicorn.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """An app as the command line names it, by the option `option`; None where it does not."""

    option: str
    app: str | None
    server_option: str
    server: str | None
    revision: str | None = None
    """The revision of the repository around this folder at which it is; None: the folder as it stands."""


def own_suite(a: Own, b: Own, path: str | None, python: str | None) -> tuple[Definitions, Suite]:
    """The definitions and the suite of one pair, of apps in this folder. Raises `UsageError`."""
    return _own([a, b], path, python)[:2]


def own_arm(app: Own, path: str | None, python: str | None) -> tuple[Definitions, Arm]:
    """The definitions and the arm of one app in this folder, under a closed load. Raises `UsageError`."""
    definitions, _, (arm,) = _own([app], path, python)
    return definitions, arm


def _own(apps: Sequence[Own], path: str | None, python: str | None) -> tuple[Definitions, Suite, list[Arm]]:
    """Of a single app the suite compares it with itself, and is good for its checks alone."""
    from harness.subject.discover import interpreter

    missing = [app.option for app in apps if not app.app] + ([] if path else ["--path"])
    if path is None or missing:
        raise UsageError(f"{', '.join(missing)}: missing; an app of your own is named by APP, and asked for PATH")
    shipped, folder = load_definitions(), Path.cwd()
    scenario, program = request(path), interpreter(folder, python)
    require_no_secret(scenario)
    every = _targets(apps, path, folder, program)
    targets = {target.name: target for target in every}
    sides = [
        Side(target=target.name, server=server_of(shipped, target, app.server_option, app.server).name)
        for target, app in zip(every, apps, strict=True)
    ]
    definitions = with_own(shipped, targets.values(), scenario)
    pair_suite(definitions, scenario, sides[0], sides[-1])  # what cannot be is said before anything is launched
    arms = closed_arms(definitions, sides, scenario)
    _require_packages(arms)
    scenario = _expected(arms, definitions, scenario)
    definitions = with_own(shipped, targets.values(), scenario)
    return (
        definitions,
        pair_suite(definitions, scenario, sides[0], sides[-1]),
        closed_arms(definitions, sides, scenario),
    )


def _targets(apps: Sequence[Own], path: str, folder: Path, program: str) -> list[Target]:
    """What the apps are, each by its own interpreter, at its revision."""
    from harness.subject.discover import look
    from harness.subject.revisions import stood, versions

    if apps[0].revision is None:
        return [look(folder, program, app.app or "", path).target(app.app or "", folder, program) for app in apps]
    found = []
    for target in versions([(app.app or "", app.revision or "") for app in apps], folder, program):
        try:
            there = stood(target)
            what = look(Path(there.folder), there.python, target.app, path)
        except GatebenchError as error:
            raise UsageError(f"--rev {target.revision}: {error}") from error
        found.append(replace(target, interface=what.interface, packages=what.packages, handler=what.handler))
    return found


def _require_packages(arms: Sequence[Arm]) -> None:
    """Raise `UsageError`, with the line that installs them, where an interpreter lacks packages of a server."""
    from harness.subject.receipts import receipts

    if missing := receipts(arms).missing:
        raise UsageError("\n".join(dict.fromkeys(missing.values())))


def _expected(arms: Sequence[Arm], definitions: Definitions, scenario: Scenario) -> Scenario:
    """The scenario with what all of the arms answer now."""
    from harness.subject.present import present

    found = present(arms, definitions.factors.values())
    for remark in found.remarks:
        remarks().print(f"caveat: {remark}", soft_wrap=True)
    return request(scenario.requests[0].path, found.expect)
