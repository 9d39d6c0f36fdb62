"""`gatebench serve`: one target in the foreground, to poke at by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import remarks
from harness.errors import NothingValidError, UsageError
from harness.subject import services
from harness.subject.answers import wait_until
from harness.subject.launch import launch
from harness.subject.services import HOST
from harness.suite import Arm, Upstream, cell, load_definitions, load_suite


def serve(
    *,
    target: Annotated[str, typer.Option("--target", metavar="T", help="A target, see `gatebench list targets`.")],
    server: Annotated[str, typer.Option("--server", metavar="S", help="A server of its interface.")],
    workers: Annotated[int, typer.Option(min=1)] = 1,
    threads: Annotated[int | None, typer.Option(min=1)] = None,
    pooling: Annotated[str, typer.Option(help="none or pool")] = "pool",
    cache: Annotated[str, typer.Option(help="none, memory or redis")] = "none",
    client: Annotated[str | None, typer.Option(help="Level of the factor client.")] = None,
    middleware: Annotated[str, typer.Option(help="Level of the factor middleware.")] = "none",
    gc: Annotated[str, typer.Option(help="Level of the factor gc: none or freeze.")] = "none",
    suite: Annotated[str | None, typer.Option(metavar="FILE", help="A suite file that defines the target.")] = None,
    host: Annotated[str, typer.Option()] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8000,
) -> None:
    """Serve one target in the foreground, with the slow API (and Redis) beside it, until Ctrl-C.

    Example: `gatebench serve --target fastapi --server uvicorn --workers 2`.
    """
    from harness.subject.receipts import receipts

    known = load_suite(suite)[0] if suite else load_definitions()
    for kind, name, names in (("target", target, known.targets), ("server", server, known.servers)):
        if name not in names:
            raise UsageError(f"--{kind} {name}: unknown; one of {', '.join(names)}")
    chosen, on = known.targets[target], known.servers[server]
    if chosen.interface != on.interface:
        raise UsageError(f"--server {server} serves {on.interface}, {target} is {chosen.interface}")
    scenario = next(one for one in known.scenarios.values() if "cache" in one.factors)
    made = cell(
        chosen,
        on,
        scenario,
        workers=workers,
        threads=threads,
        pooling=pooling,
        cache=cache,
        client=client,
        middleware=middleware,
        gc=gc,
    )
    arm = Arm(id="serve", cell=made, connections=64, target=chosen, server=on, scenario=scenario)
    if problem := receipts([arm]).missing.get(arm.id):
        raise UsageError(problem)
    if port and not services.is_free(host, port):
        raise NothingValidError(f"--port {port} is taken on {host}; --port 0 finds a free one")
    _serve(arm, host, port or services.free_port(), redis=cache == "redis")


def _serve(arm: Arm, host: str, port: int, *, redis: bool) -> None:
    console = remarks()
    with (
        tempfile.TemporaryDirectory(prefix="gatebench-") as folder,
        services.started(upstream=Upstream(), redis=redis, cpus=(), logs=Path(folder)) as beside,
        launch(arm, beside, cpus=(), log=Path(folder, "target.log"), host=host, port=port) as server,
    ):
        server.wait_ready()
        console.print(f"{server.process.name}: http://{host}:{port}/json and the other scenarios; Ctrl-C stops it")
        console.print(f"log: {server.process.log}", soft_wrap=True)
        wait_until(server.process, "stopped", lambda: None, float("inf"))
