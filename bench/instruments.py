"""What the load engine is held against, and how it is run: nginx, wrk, Locust's own client, servers of a known law."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import calibrate, spec
from harness.errors import LaunchError, LoadError
from harness.machine.placement import usable_cpus
from harness.machine.process import Process, clean_environment, running
from harness.spec.loads import Closed, Load, Open
from harness.subject.answers import wait_until
from harness.subject.services import free_port, listening
from harness.trial import generator

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 10.0
INSTALL = {"nginx": "apt-get install nginx-light", "wrk": "apt-get install wrk"}
NGINX_CONF = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 "hello"; }} }}
}}
"""


@dataclass(frozen=True)
class Placed:
    """Where processes run: one CPU for the server, one for what drives it, and a folder for their logs."""

    server: tuple[int, ...]
    generator: tuple[int, ...]
    folder: Path
    generators: int = 1
    """Processes that share the load."""


@contextlib.contextmanager
def placed() -> Iterator[Placed]:
    """The first and the last CPU that this process may use; meanwhile the process itself stays on the first."""
    cpus = usable_cpus()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus[:1])
    try:
        with tempfile.TemporaryDirectory(prefix="gatebench-") as folder:
            yield Placed(cpus[:1], cpus[-1:], Path(folder))
    finally:
        os.sched_setaffinity(0, before)


def missing() -> list[str]:
    """A sentence for each program that is not installed, with how to install it."""
    return [f"{program} is missing: {how}" for program, how in INSTALL.items() if shutil.which(program) is None]


@contextlib.contextmanager
def nginx(where: Placed) -> Iterator[int]:
    """A private nginx that does nothing but `return 200`; gives its port."""
    port = free_port()
    conf = where.folder / "nginx.conf"
    conf.write_text(NGINX_CONF.format(folder=where.folder, port=port))
    argv = [shutil.which("nginx") or "nginx", "-c", str(conf), "-e", str(where.folder / "error.log")]
    with running(argv, name="nginx", log=where.folder / "nginx.log", cpus=where.server) as process:
        wait_until(process, "listening", lambda: listening(port), PATIENCE_S)
        yield port


@dataclass(frozen=True)
class NullServer:
    """A `loadtests.null_server` that runs."""

    port: int

    def seen(self) -> dict[str, Any]:
        """What it has seen: requests, seconds from request to answer, requests by worker."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/seen", timeout=PATIENCE_S) as answer:
            sums: dict[str, Any] = json.load(answer)
            return sums


@contextlib.contextmanager
def null_server(where: Placed, law: str, *, workers: int = 1) -> Iterator[NullServer]:
    """A null server of that law."""
    with calibrate.null_server(where.server, where.folder / "null_server.log", law=law, workers=workers) as port:
        yield NullServer(port)


def arm(port: int, *, connections: int = 32, load: Load | None = None, **more: Any) -> spec.DrivenArm:
    """An arm on that port, whose answers have five bytes; under closed load unless told otherwise."""
    driven = load or Closed(connections=connections)
    return spec.DrivenArm(name="a", port=port, load=driven, request=spec.Request(length=5), **more)


def closed(*arms: spec.DrivenArm, slices: int = 1, slice_s: float = 0.5, warmup_s: float = 0.5) -> spec.Spec:
    """Closed load on each arm, in so many rounds."""
    named = tuple(replace(arm, name=f"arm {number}") for number, arm in enumerate(arms))
    rounds = (tuple(range(len(arms))),) * slices
    return spec.Spec(arms=named, rounds=rounds, slice_s=slice_s, warmup_s=warmup_s)


def opened(port: int, rate: float, *, slices: int = 1, slice_s: float = 2.0, connections: int = 64) -> spec.Spec:
    """Open load of Poisson arrivals at `rate` a second."""
    driven = arm(port, load=Open(connections=connections, rate_rps=rate), response_s=0.001)
    return spec.Spec(arms=(driven,), rounds=((0,),) * slices, slice_s=slice_s, warmup_s=0.0)


def run(
    where: Placed, phase: spec.Spec, on_event: Callable[[spec.Event, Process], None] = lambda *_: None
) -> spec.Result:
    """What our engine measures; raises `LoadError` when it ends early."""
    log = where.folder / "engine.log"
    return generator.run(phase, cpus=where.generator, log=log, on_event=on_event, count=where.generators)


def run_stopped(where: Placed, phase: spec.Spec, after: str) -> spec.Result:
    """What our engine shows when it gets SIGTERM at the second event called `after`; raises `LoadError` if nothing."""
    events: list[spec.Event] = []

    def stop(event: spec.Event, process: Process) -> None:
        events.append(event)
        if event.event == after and sum(each.event == after for each in events) == 2:  # noqa: PLR2004 - the second
            process.popen.terminate()

    with contextlib.suppress(LoadError):  # that it ended early
        run(where, phase, stop)
    result = events[-1].result if events else None
    if result is None:
        raise LoadError("the engine left no result")
    return result


def wrk(where: Placed, port: int, connections: int, seconds: int) -> float:
    """Requests a second by wrk, on the generator's CPU; raises `LaunchError` when it fails."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/"]
    output = _output(where, argv)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", output)
    if rate is None:
        raise LaunchError(f"wrk printed no rate:\n{output}")
    return float(rate[1])


def rival(where: Placed, *argv: str) -> dict[str, Any]:
    """The object that `loadtests.rivals` prints; raises `LaunchError` when it fails."""
    figures: dict[str, Any] = json.loads(_output(where, [sys.executable, "-P", "-m", "loadtests.rivals", *argv]))
    return figures


def resident_bytes(pid: int) -> int:
    """Memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _output(where: Placed, argv: Sequence[str]) -> str:
    """What a program prints that runs on the generator's CPU."""
    command = ["taskset", "-c", ",".join(map(str, where.generator)), *argv]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=True
        )
    except subprocess.CalledProcessError as error:
        raise LaunchError(f"{' '.join(argv)} ended with {error.returncode}:\n{error.stderr[-2000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise LaunchError(f"{' '.join(argv)} is not done after {error.timeout:.0f} s") from error
    return done.stdout


def environment() -> dict[str, str]:
    """What the processes of a proof find in their environment: ours, and where our modules are."""
    return clean_environment({"PYTHONPATH": str(ROOT)})
