"""What the load engine is held against, and how each is run: nginx, wrk, stock Locust, and servers of known truth."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import spec
from harness.machine.placement import usable_cpus
from harness.machine.process import Process, clean_environment, running
from harness.spec.loads import Closed, Load, Open
from harness.subject.answers import wait_until
from harness.subject.services import free_port, listening
from harness.trial import generator as load

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 10.0
MISSING = {"nginx": "apt-get install nginx-light", "wrk": "apt-get install wrk"}
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
    """Where things run: one CPU for the server, another for whatever drives it, and a folder for their logs."""

    server: tuple[int, ...]
    generator: tuple[int, ...]
    folder: Path


@contextlib.contextmanager
def placed() -> Iterator[Placed]:
    """The first and the last CPU that this process may use; itself it leaves the generator's alone."""
    cpus = usable_cpus()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus[:1])
    try:
        with tempfile.TemporaryDirectory(prefix="gatebench-") as folder:
            yield Placed(cpus[:1], cpus[-1:], Path(folder))
    finally:
        os.sched_setaffinity(0, before)


def missing() -> list[str]:
    """What is not installed, each with how to install it."""
    return [f"{name} is missing: {how}" for name, how in MISSING.items() if shutil.which(name) is None]


@contextlib.contextmanager
def nginx(where: Placed) -> Iterator[int]:
    """A private nginx that answers `return 200`; gives its port."""
    port = free_port()
    conf = where.folder / "nginx.conf"
    conf.write_text(NGINX_CONF.format(folder=where.folder, port=port))
    argv = [shutil.which("nginx") or "nginx", "-c", str(conf), "-e", str(where.folder / "error.log")]
    with running(argv, name="nginx", log=where.folder / "nginx.log", cpus=where.server) as process:
        wait_until(process, "listening", lambda: listening(port), PATIENCE_S)
        yield port


@dataclass(frozen=True)
class NullServer:
    """`loadtests.null_server`."""

    port: int

    def seen(self) -> dict[str, Any]:
        """What it saw: requests, seconds, workers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/seen", timeout=PATIENCE_S) as answer:
            told: dict[str, Any] = json.load(answer)
            return told


@contextlib.contextmanager
def null_server(where: Placed, law: str, *, workers: int = 1) -> Iterator[NullServer]:
    """A server of that law."""
    argv = [sys.executable, "-P", "-m", "loadtests.null_server", "--law", law, "--workers", str(workers)]
    log = where.folder / "null_server.log"
    with running(
        argv, name="null server", log=log, cwd=ROOT, env=_environment(), cpus=where.server, stdout=subprocess.PIPE
    ) as process:
        assert process.popen.stdout is not None  # noqa: S101 - it was opened with PIPE
        if not select.select([process.popen.stdout], [], [], PATIENCE_S)[0]:
            raise SystemExit(f"the null server does not start; its last lines:\n{process.tail()}")
        yield NullServer(int(process.popen.stdout.readline()))


def arm(port: int, *, connections: int = 32, load: Load | None = None, **more: Any) -> spec.Arm:
    """An arm on that port, whose answers have five bytes; under closed load unless told otherwise."""
    driven = load or Closed(connections=connections)
    return spec.Arm(name="a", port=port, load=driven, request=spec.Request(length=5), **more)


def closed(*arms: spec.Arm, slices: int = 1, slice_s: float = 0.5, warmup_s: float = 0.5) -> spec.Spec:
    """Closed load on each, in so many rounds."""
    named = tuple(replace(one, name=f"arm {number}") for number, one in enumerate(arms))
    rounds = (tuple(range(len(arms))),) * slices
    return spec.Spec(arms=named, rounds=rounds, slice_s=slice_s, warmup_s=warmup_s)


def opened(port: int, rate: float, *, slices: int = 1, slice_s: float = 2.0, connections: int = 64) -> spec.Spec:
    """Poisson arrivals."""
    driven = arm(port, load=Open(connections=connections, rate_rps=rate), response_s=0.001)
    return spec.Spec(arms=(driven,), rounds=((0,),) * slices, slice_s=slice_s, warmup_s=0.0)


def run(
    where: Placed, told: spec.Spec, on_event: Callable[[spec.Event, Process], None] = lambda *_: None
) -> spec.Result:
    """Our engine."""
    return load.run(told, cpus=where.generator, log=where.folder / "engine.log", on_event=on_event)


def run_stopped(where: Placed, told: spec.Spec, after: str) -> spec.Result:
    """Our engine, sent SIGTERM when that event comes for the second time."""
    asked, answered = where.folder / "spec.json", where.folder / "result.json"
    asked.write_text(spec.dump(told))
    argv = [sys.executable, "-P", "-m", "loadtests", str(asked), str(answered)]
    log = where.folder / "engine.log"
    with running(
        argv, name="engine", log=log, cwd=ROOT, env=_environment(), cpus=where.generator, stdout=subprocess.PIPE
    ) as process:
        assert process.popen.stdout is not None  # noqa: S101 - it was opened with PIPE
        times = 0
        for line in process.popen.stdout:
            times += spec.load(spec.Event, line).event == after
            if times == 2:  # noqa: PLR2004
                process.popen.terminate()
        process.popen.wait()
    return spec.load(spec.Result, answered.read_bytes())


def wrk(where: Placed, port: int, connections: int, seconds: int) -> float:
    """Requests a second by wrk, on the generator's CPU."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/"]
    out = subprocess.run(_on(where, argv), capture_output=True, text=True, check=True, timeout=60).stdout
    found = re.search(r"Requests/sec:\s*([\d.]+)", out)
    if found is None:
        raise SystemExit(f"wrk says something else than expected:\n{out}")
    return float(found[1])


def probe(where: Placed, *argv: str) -> dict[str, Any]:
    """What `loadtests.rivals` prints."""
    command = _on(where, [sys.executable, "-P", "-m", "loadtests.rivals", *argv])
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} failed:\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def resident_bytes(pid: int) -> int:
    """Memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _on(where: Placed, argv: list[str]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, where.generator)), *argv]


def _environment() -> dict[str, str]:
    return clean_environment({"PYTHONPATH": str(ROOT)})
