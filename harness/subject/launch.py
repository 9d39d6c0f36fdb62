"""`with launch(arm, ...) as server:` starts a target on its server, and stops it at the end of the block."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import units
from harness.errors import GatebenchError, MemoryLimitError, ServiceError
from harness.machine import pods
from harness.machine.guard import scratch
from harness.machine.identity import PROC
from harness.machine.process import Process, clean_environment, running
from harness.machine.usage import Memory, memory, usage
from harness.spec import TLS
from harness.subject.answers import ASK_S, POLL_S, Answer, verify, wait_ready
from harness.subject.asking import requests_of
from harness.subject.attached import Attached, attached
from harness.subject.releases import Releases, releases
from harness.subject.revisions import on_disk
from harness.subject.served import Served, counting
from harness.subject.services import HOST, Services, free_port, needed
from harness.suite import BENCHMARKS, Arm, Ask, Factor, Prepared, prepared
from harness.suite.address import address_of

BRIDGE = BENCHMARKS.parent / "targets" / "bridge"
"""Where the module lies that serves a target through its bridge."""
SERVED = "GATEBENCH_SERVED"
"""The variable that tells a target of ours where to count what it serves."""
QUIET_S, QUIET_CPUS = 0.15, 0.05
"""The servers of a block are settled when together they have used less than QUIET_CPUS for QUIET_S."""
SETTLE_S, SETTLE_EACH_S = 10.0, 0.5
"""How long that may take, and how much longer for each process."""


@dataclass(frozen=True, slots=True)
class Launched:
    """An arm that was launched, while its process runs."""

    arm: Arm
    process: Process | Attached
    port: int
    host: str = HOST
    """As in a `harness.spec.DrivenArm`."""
    groups: pods.Groups = pods.NONE
    """Of its pod."""
    served: Served | None = None
    """What it has served by its own count, where that was asked for."""
    releases: Releases | None = None
    """The versions of its target's files, where that was asked for."""

    def killed(self) -> MemoryLimitError | None:
        """The error that says so where the memory limit of its pod has had processes of it killed, since its launch."""
        limit, spent = self.arm.cell.memory_limit_bytes, self.groups.spent()
        if limit is None or not spent.oom_kills:
            return None
        what = f"was killed by the memory limit of {units.bytes_(limit)} (killed processes: {spent.oom_kills})"
        remedy = "raise the limit, run fewer workers, or look for what grows"
        message = f"{self.process.with_log(what)}; {remedy}"
        return MemoryLimitError(message, oom_kills=spent.oom_kills, peak_bytes=spent.peak_bytes)

    def cause(self, error: GatebenchError) -> GatebenchError:
        """What `error` comes from: a kill by the memory limit, or else the error itself."""
        return self.killed() or error

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers."""
        return self.host, self.port

    @property
    def proc(self) -> Path:
        """Where its processes are seen."""
        return self.process.proc if isinstance(self.process, Attached) else PROC

    def memory(self) -> Memory | None:
        """What its processes have now; None where that cannot be read."""
        return memory(self.process.members(), self.proc)

    def wait_ready(self, timeout_s: float | None = None) -> float | None:
        """Poll until it answers, as long as its target may take; raises `LaunchError` that says why not, and its log.

        Where the target names a path for it, that must be answered with a status below 400. Seconds from the start of
        its process to that answer; None where it is an error, or we have not started it.
        """
        target = self.arm.target
        patience_s = timeout_s or (ASK_S if target.url else target.ready_s)
        named = bool(target.ready_path)
        status, answered_s = wait_ready(self.process, self.host, self.port, self.asked(), patience_s, good=named)
        if isinstance(self.process, Attached) or not (named or status == prepared(self.arm.scenario)[0].expect.status):
            return None
        return answered_s - self.process.started_s

    def asked(self) -> Ask:
        """What tells by its answer that it is ready."""
        path = self.arm.target.ready_path
        if path:
            return Ask(path=path)
        first = prepared(self.arm.scenario)[0].ask
        return Ask(method=first.method, path=first.path, headers=first.headers, body=first.body)

    def requests(self) -> tuple[Prepared, ...]:
        """All that its scenario asks of it, after a login where there is one; raises `AnswerError`."""
        return requests_of(self.arm.scenario, self.host, self.port)

    def verify(self, request: Prepared | None = None, timeout_s: float = ASK_S) -> Answer:
        """Ask one of its `requests`, the first if none is named, and check the answer; raises `AnswerError`."""
        asked = request or self.requests()[0]
        return verify(self.host, self.port, asked.ask, asked.expect, timeout_s)


@contextlib.contextmanager
def launch(
    arm: Arm,
    factors: Iterable[Factor],
    services: Services,
    *,
    cpus: Sequence[int],
    log: Path,
    address: tuple[str, int] | None = None,
    key: str = "",
) -> Iterator[Launched]:
    """Start `arm` on `cpus`; it may not be ready yet. `key` keeps the cache entries of several launches apart.

    `factors` say how target and server are told of the levels of the cell. Raises `LaunchError` when it cannot be
    started, or a service that it needs is not there.
    """
    if arm.target.url:
        there = address_of(arm.target.url)
        process = attached(arm.target, f"{arm.cell.target} on {arm.cell.server}")
        yield Launched(arm, process, there.port, there.host)
        return
    varied = tuple(factors)
    for service in sorted(needed(arm, varied)):
        if why := services.missing(service):
            raise ServiceError(why)
    arm = on_disk(arm)
    host, port = (HOST, free_port()) if address is None else address
    argv = fill(arm, varied, host, port)
    env = clean_environment(_trusting(host) | settings(arm, varied, services, key))
    name = f"{arm.cell.target} on {arm.cell.server}"
    with (
        _pod(arm) as groups,
        running(groups.entering(argv), name=name, log=log, cwd=Path(arm.target.folder), env=env, cpus=cpus) as started,
    ):
        spoken = TLS if arm.server.speaks_tls(arm.cell.level) else ""
        yield Launched(arm, started, port, spoken + host, groups)


@contextlib.contextmanager
def launch_counted(
    arm: Arm,
    factors: Iterable[Factor],
    services: Services,
    *,
    cpus: Sequence[int],
    log: Path,
    address: tuple[str, int] | None = None,
    key: str = "",
) -> Iterator[Launched]:
    """As `launch`; a target of ours counts what it serves, one of somebody else's does not.

    Raises `ServiceError` too where there is no room to count in.
    """
    with contextlib.ExitStack() as stack:
        try:
            served = stack.enter_context(counting())
        except OSError as error:
            raise ServiceError(f"no room to count what {arm.label} serves: {error}") from error
        told = replace(arm, target=replace(arm.target, env=arm.target.env | {SERVED: served.path}))
        launched = stack.enter_context(launch(told, factors, services, cpus=cpus, log=log, address=address, key=key))
        yield replace(launched, arm=arm, served=served)


@contextlib.contextmanager
def launch_versions(
    arm: Arm,
    factors: Iterable[Factor],
    services: Services,
    *,
    cpus: Sequence[int],
    log: Path,
    address: tuple[str, int] | None = None,
    key: str = "",
) -> Iterator[Launched]:
    """As `launch_counted`, of a copy of a target of ours, in whose place another can be put.

    Raises `ServiceError` too where there is no room for it.
    """
    with contextlib.ExitStack() as stack:
        try:
            copies = stack.enter_context(releases())
        except OSError as error:
            raise ServiceError(f"no room for a copy of {arm.label}: {error}") from error
        counted = launch_counted(copies.told(arm), factors, services, cpus=cpus, log=log, address=address, key=key)
        yield replace(stack.enter_context(counted), arm=arm, releases=copies)


@contextlib.contextmanager
def _pod(arm: Arm) -> Iterator[pods.Groups]:
    """The groups of the arm's pod; raises `ServiceError` where they cannot be had."""
    with contextlib.ExitStack() as stack:
        try:
            groups = stack.enter_context(pods.made(arm.cell.cpus, arm.cell.memory_limit_bytes))
        except OSError as error:
            raise ServiceError(f"no pod for {arm.label}: {error}; {pods.NEEDS}") from error
        yield groups


def fill(arm: Arm, factors: Iterable[Factor], host: str, port: int) -> list[str]:
    """The server's argv with its placeholders filled, element by element."""
    values = {
        "{python}": arm.target.python,
        "{host}": host,
        "{port}": str(port),
        "{workers}": str(arm.cell.workers),
        "{threads}": str(arm.cell.threads),
        "{app}": arm.target.app,
        "{targets}": str(BENCHMARKS.parent / "targets"),
    }
    if "{scratch}" in "".join(arm.server.argv):
        values["{scratch}"] = str(scratch() or tempfile.gettempdir())
    called = arm.server.factory or () if arm.target.is_factory else ()
    lists = {"{factory}": called}
    if called:  # the server is told to call it, and takes its name alone
        values["{app}"] = arm.target.app.removesuffix("()")
    for factor in factors:
        if not factor.is_count:
            level = factor.filling(arm.cell.level(factor.name))
            values[factor.placeholder] = str(level)
            lists |= {factor.placeholder: factor.fills[str(level)]} if factor.fills else {}
    return [text for element in arm.server.argv for text in lists.get(element, (_filled(element, values),))]


def _filled(element: str, values: Mapping[str, str]) -> str:
    """One pass over the element, so that a value which looks like a placeholder stays as it is."""
    return re.sub(r"\{[^}]*\}", lambda match: values.get(match[0], match[0]), element)


def settings(arm: Arm, factors: Iterable[Factor], services: Services, key: str = "") -> dict[str, str]:
    """What the target is told in its environment: the levels of its factors, and where the services are."""
    levels = {factor.env: (factor, arm.cell.level(factor.name)) for factor in factors}
    env = {name: str(level) for name, (factor, level) in levels.items() if factor.tells(level)}
    env |= {
        "GATEBENCH_THREADS": str(arm.cell.threads),
        "GATEBENCH_CACHE_PREFIX": f"{arm.id}{key}:",
        "GATEBENCH_POOL_SIZE": str(max(64, arm.connections)),
        "GATEBENCH_UPSTREAM_URL": services.upstream_url(arm.id),
        "GATEBENCH_REDIS_URL": services.redis_url or "",
    }
    stated = arm.server.env | arm.target.env
    if arm.target.bridge:
        stated["PYTHONPATH"] = os.pathsep.join(filter(None, (str(BRIDGE), stated.get("PYTHONPATH"))))
    return {name: value for name, value in env.items() if value} | stated


def _trusting(host: str) -> dict[str, str]:
    """What has a target of ours trust requests for `host`; on loopback it does so by itself."""
    return {} if host == HOST else {"GATEBENCH_TRUSTED_HOSTS": json.dumps([HOST, "localhost", host])}


def wait_settled(servers: Sequence[Launched]) -> None:
    """Wait until the servers use next to no CPU: the first worker may answer while the last still imports the target.

    Returns in any case after SETTLE_S and SETTLE_EACH_S for each process: a server may never be quiet, and many workers
    that share a CPU take long for their imports.
    """
    launched = [server for server in servers if not server.arm.target.url]
    pids = [pid for server in launched for pid in server.process.members()]
    deadline = time.monotonic() + SETTLE_S + SETTLE_EACH_S * len(pids)
    before, since = usage(pids), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(POLL_S * 5)
        now = time.monotonic()
        if now - since < QUIET_S:
            continue
        pids = [pid for server in launched for pid in server.process.members()]
        after = usage(pids)
        if after.total_since(before) < QUIET_CPUS * (now - since):
            return
        before, since = after, now
