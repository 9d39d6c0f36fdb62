"""`gatebench init`: a suite for an app of the user's own, as far as it can be found out."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson
from harness.cli.output import answers, print_json, remarks
from harness.cli.verify import label, of_plan
from harness.errors import GateError, UsageError
from harness.suite import Options, build, load_definitions, load_suite
from harness.suite.written import written

if TYPE_CHECKING:
    from harness.subject.first import First

FILE = "gatebench.toml"


def init(
    folder: Annotated[Path, typer.Argument(metavar="[PATH]", help="The app's folder; default: this one.")] = Path(),
    *,
    app: Annotated[
        str | None,
        typer.Option(
            "--app", "--a", metavar="APP", help="Where more than one is there: `module:app`, `module:create_app()`,"
        ),
    ] = None,
    other: Annotated[
        str | None, typer.Option("--b", metavar="APP", help="and the app that it is compared with.")
    ] = None,
    path: Annotated[
        str | None, typer.Option(metavar="PATH", help="What is asked; default: a route that answers.")
    ] = None,
    python: Annotated[
        str | None, typer.Option(metavar="FILE", help="The app's interpreter; default: that of its environment.")
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What the app finds in its environment; may be given more than once."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help=f"The suite; default: {FILE} in the folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find out about an app, and write a suite for it: target, two servers, a request with its present answer.

    The app is imported by its own interpreter, never by that of gatebench. The suite is verified at the end: exit code
    1 on a wrong answer. No file is overwritten.

    Examples: `gatebench init`, `gatebench init ../shop --path /products`, `gatebench init --app shop:create_app()`,
    `gatebench init --app shop.flask_app:app --b shop.fast_app:app --env SHOP_CONFIG=shop.yml`.
    """
    from harness.subject.discover import interpreter
    from harness.subject.first import first

    if other is not None and app is None:
        raise UsageError("--b goes with --app: name both of the apps")
    variables = dict(map(_variable, env or ()))
    try:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no folder; name the one from which your app is imported")
        folder = folder.absolute()
        file = (out or folder / FILE).absolute()
        _require_free(file)
    except (OSError, ValueError) as error:  # too long a name, or one with a NUL in it
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise UsageError(f"{str(folder)[:200]!r}, {str(out or FILE)[:200]!r}: no folder or file: {reason}") from error
    program = interpreter(folder, python)
    found = first(folder, program, load_definitions(), app=app, other=other, path=path, env=variables)
    for remark in found.remarks:
        remarks().print(f"caveat: {remark}", soft_wrap=True)
    _write(file, written(file, found.targets, found.scenario, found.sides, found.routes, found.note))
    _tell(file, found, as_json=as_json)
    _verify(file)


def _variable(text: str) -> tuple[str, str]:
    """Name and value of `NAME=VALUE`. Raises `UsageError`."""
    name, equals, value = text.partition("=")
    if not name or not equals or "\0" in text:
        raise UsageError(f"--env {text[:200]}: write NAME=VALUE")
    return name, value


def _require_free(file: Path) -> None:
    if file.exists() or file.is_symlink():
        raise UsageError(f"{file} exists already, and is not overwritten: --out FILE writes another")
    if file.suffix != ".toml":
        raise UsageError(f"--out {file.name}: a suite's file ends with .toml")


def _write(file: Path, text: str) -> None:
    """Write a new file, at once as a whole or not at all."""
    try:
        with file.open("x", encoding="utf-8") as suite:
            suite.write(text)
    except FileExistsError:
        _require_free(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be written: {error}; --out FILE writes elsewhere") from error


def _verify(file: Path) -> None:
    """Launch what the suite defines, and hold the answers against it; raises `GateError` where one is wrong."""
    from harness.subject.receipts import receipts
    from harness.subject.verify import verify

    plan = build(*load_suite(str(file)), Options(seed=0))
    arms = of_plan(plan)
    checked = list(verify(arms, plan.factors, receipts(each.arm for each in arms).missing, plan.upstream))
    wrong = [f"{label(each)}: {each.problem}" for each in checked if each.problem is not None]
    if wrong:
        raise GateError("\n".join([f"{file} is written, and not all of its answers are right:", *wrong]))
    remarks().print(f"verified: {len(checked)} answers are right", soft_wrap=True)


def _tell(file: Path, found: First, *, as_json: bool) -> None:
    (asked,), python = found.scenario.requests, found.targets[0].python
    if as_json:
        targets = [
            {"name": target.name, "app": target.app, "interface": target.interface, "framework": framework}
            for target, framework in zip(found.targets, found.frameworks, strict=True)
        ]
        sides = [asdict(side) for side in found.sides]
        expect = {key: value for key, value in asdict(asked.expect).items() if value not in (None, {}, ())}
        print_json(
            {
                "file": str(file),
                "python": python,
                "targets": targets,
                "path": asked.path,
                "expect": expect,
                "servers": [side["server"] for side in sides],
                "routes": list(found.routes),
            }
        )
        return
    console = answers()
    for target, framework in zip(found.targets, found.frameworks, strict=True):
        console.print(f"{target.name}: {target.app}, {target.interface}, {framework or 'no framework that we know'}")
    console.print(f"imported by {python}", soft_wrap=True)
    console.print(found.note, soft_wrap=True)
    console.print(f"GET {asked.path}, one of {max(1, len(found.routes))} routes", soft_wrap=True)
    shown = shlex.quote(os.path.relpath(file))
    console.print(f"written: {file}; next: gatebench run {shown}, or gatebench tune {shown}", soft_wrap=True)
