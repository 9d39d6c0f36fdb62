"""`gatebench serve`: one target in the foreground, to try requests on by hand."""

from __future__ import annotations

import socket
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.beside import announced
from harness.cli.output import remarks
from harness.errors import LaunchError, NothingValidError, ServiceError, UsageError
from harness.machine.guard import scratch
from harness.machine.ports import SERVE
from harness.subject import services
from harness.subject.answers import wait_until
from harness.subject.launch import Launched, launch
from harness.subject.prepare import prepared
from harness.subject.services import HOST, Services
from harness.suite import Arm, Closed, Factor, Level, Upstream, load_definitions, load_suite, needs
from harness.suite.choice import arm_of, fitting, stated_levels, with_every_factor


def serve(
    *,
    target: Annotated[str, typer.Option("--target", metavar="T", help="A target, see `gatebench list targets`.")],
    server: Annotated[str, typer.Option("--server", metavar="S", help="A server of its interface.")],
    workers: Annotated[int, typer.Option(min=1)] = 1,
    threads: Annotated[int | None, typer.Option(min=1)] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=LEVEL", help="A factor's level, see `gatebench list factors`; repeatable."),
    ] = None,
    suite: Annotated[str | None, typer.Option(metavar="FILE", help="A suite file that defines the target.")] = None,
    host: Annotated[str, typer.Option()] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = SERVE,
) -> None:
    """Serve one target in the foreground, with the slow API (and Redis) beside it, until Ctrl-C.

    Examples: `gatebench serve --target fastapi --server uvicorn --workers 2`,
    `gatebench serve --target flask --server gunicorn-gthread --set cache=redis --set client=httpx`.
    """
    from harness.subject.receipts import receipts

    definitions = load_suite(suite)[0] if suite else load_definitions()
    application, process = fitting(definitions, target, server)
    if application.url:
        raise UsageError(f"--target {target}: runs already at {application.url}")
    levels: dict[str, Level] = {"workers": workers}
    levels |= {"threads": threads} if threads else {}
    levels |= stated_levels(set_ or (), definitions, application, process)
    scenario = with_every_factor(next(iter(definitions.scenarios.values())), definitions)
    loads = (Closed(connections=64),)
    arm = arm_of(definitions, "serve", application, process, scenario, levels=levels, loads=loads)
    if problem := receipts([arm]).missing.get(arm.id):
        raise UsageError(problem)
    _refuse_unless_ours(host)
    if port and not services.is_free(host, port):
        raise NothingValidError(f"--port {port} is taken on {host}; --port 0 finds a free one")
    with announced("serve"):
        _serve(arm, tuple(definitions.factors.values()), host, port or services.free_port())


def _refuse_unless_ours(host: str) -> None:
    """Raise `UsageError` where no server can listen on `host`."""
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
    except (OSError, TypeError, ValueError) as error:  # the last two: it can be no name at all
        raise UsageError(f"--host {host[:200]!r}: no IPv4 address or name of this machine: {error}") from error


def _serve(arm: Arm, factors: tuple[Factor, ...], host: str, port: int) -> None:
    console = remarks()
    with (
        tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as folder,
        services.started(
            upstream=Upstream(), redis="redis" in needs([arm], factors), cpus=(), logs=Path(folder)
        ) as beside,
        prepared([arm], Path(folder)) as unprepared,
        _launched(
            arm, factors, beside, unprepared.get(arm.id, ""), log=Path(folder, "target.log"), address=(host, port)
        ) as server,
    ):
        server.wait_ready()
        console.print(f"{server.process.name}: http://{host}:{port}/json and the other scenarios; Ctrl-C stops it")
        console.print(f"log: {server.process.log}", soft_wrap=True)
        wait_until(server.process, "stopped", lambda: None, float("inf"))


def _launched(
    arm: Arm, factors: tuple[Factor, ...], beside: Services, unprepared: str, *, log: Path, address: tuple[str, int]
) -> AbstractContextManager[Launched]:
    """The server of `arm`; raises `ServiceError` without an upstream, for its other scenarios may need that."""
    if unprepared:
        raise LaunchError(unprepared)
    if why := beside.missing("upstream"):
        raise ServiceError(why)
    return launch(arm, factors, beside, cpus=(), log=log, address=address)
