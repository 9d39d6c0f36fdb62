"""Runs whose generators are on other hosts, and servers too, while links are cut and processes killed.

    .venv/bin/python bench/machines.py [NAME ...]

The hosts are namespaces of this machine with a real sshd each (`bench/hosts.py`). `whole`: a run comes to its end
though the clock of a generator's host is a day ahead, and its load goes straight to the servers.

In the middle of a slice then `link_cut` (a generator's host has no network), `generator_killed`, `agent_killed` and
`ssh_killed`: the trial is void within ten seconds and says which generator, fifteen seconds later nothing of what ran
on that host is left, the run goes on, and ends. `harness_killed` and `harness_cut_off`: nothing is left on any host.

`server_apart`: a run comes to its end with the servers and their services on a host of their own, where CPU and memory
are read. `server_cut_off` and `server_agent_killed` in the middle of a slice: void within ten seconds, nothing is left
there fifteen seconds later, the run goes on. `server_harness_killed` and `server_harness_cut_off`: nothing
is left on any host.

Needs root, sshd and `ip`, and seven minutes. Its figures are of no use: all hosts share the CPUs. Ends with 1 when a
claim does not hold, with 2 where no hosts can be made.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.hosts import Host, hosts, missing

Claim = tuple[bool, str]
SUITE = """
blocks = 2
rounds = 1
slice_s = 6
phases = ["closed"]

[[pair]]
scenario = "json"
connections = 6
"""
VOID_S, GONE_S, RUN_S = 10.0, 15.0, 150.0
AHEAD_S = 100_000
WITH_SERVICES = SUITE.replace("blocks = 2", "blocks = 3").replace('"json"', '"external-data"')
CALM = """
[thresholds]
outside_load = 1.0
generator_waiting = 1.0
generator_cpu_percent = 100.0
lateness_of_response = 1.0
"""
"""The hosts share the CPUs: what one does disturbs the others."""


@dataclass(slots=True)
class Run:
    """A run that is under way on the host `here`; servers are on `apart`, or else there too."""

    here: Host
    there: list[Host]
    folder: Path
    process: subprocess.Popen[bytes]
    apart: Host | None = None

    @property
    def hosts(self) -> list[Host]:
        """All of them."""
        return [self.here, *self.there, *([self.apart] if self.apart else [])]

    @property
    def serving(self) -> Host:
        """The one with the servers."""
        return self.apart or self.here

    def rows(self) -> list[dict[str, Any]]:
        """The trials that are on record."""
        path = self.folder / "out/trials.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def loaded(self) -> bool:
        """Whether all generators load a server."""
        return self.serving.clients() >= {host.address for host in self.there}

    def left(self) -> dict[str, list[str]]:
        """What runs on each host beside what it had before."""
        return {host.name: list(found.values()) for host in self.hosts if (found := host.processes())}


@contextlib.contextmanager
def running(suite: str = SUITE, *, apart: bool = False) -> Iterator[Run]:
    """A run on three hosts, two of them with a generator; `apart`: on four, one of them with the servers."""
    names = ["harness", "one", "two", *(["server"] if apart else [])]
    with (
        tempfile.TemporaryDirectory() as name,
        hosts(Path(name), names, {"two": AHEAD_S, "server": 2 * AHEAD_S}) as made,
        (Path(name) / "log").open("wb") as log,
    ):
        folder = Path(name)
        (folder / "machines.toml").write_text(suite)
        server = made.pop("server") if apart else None
        here, *there = made.values()
        argv = [str(folder / "python"), "-m", "harness", "run", "machines.toml", "--out=out"]
        argv += [f"--on=server=ssh://root@{server.address}{folder}/python"] if server else ["--bind", here.address]
        argv += [f"--on=generator=ssh://root@{host.address}{folder}/python" for host in there]
        with here.start(argv, folder, {}, stdout=log, stderr=log) as process:
            try:
                yield Run(here, there, folder, process, server)
            finally:
                process.kill()


def seconds_until(holds: Callable[[], object], longest_s: float) -> float | None:
    """How long it took; None where it did not come to it."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > longest_s:
            return None
        time.sleep(0.02)
    return time.monotonic() - began


def whole() -> Iterator[Claim]:
    """Nothing is done to it."""
    clients: set[str] = set()
    with running(SUITE.replace("slice_s = 6", "slice_s = 0.5")) as run:

        def ended() -> bool:
            clients.update(run.here.clients())
            return run.process.poll() is not None

        yield seconds_until(ended, RUN_S) is not None, f"it ends, with exit code {run.process.poll()}"
        errors = [row["error"] for row in run.rows()]
        yield errors == [None] * 4, f"4 trials, errors {errors}"
        offsets = [round(each["clock_offset_us"] / 1e6) for row in run.rows() for each in row["generators"]]
        yield offsets == [0, AHEAD_S] * 4, f"clocks of the generators are apart by {offsets} s"
        direct = clients - {run.here.address} == {host.address for host in run.there}
        yield direct, f"servers had connections from {sorted(clients)}"
        yield from _nothing_left(run)
        more = [str(run.folder / "python"), "-m", "harness", "run", "--resume", "out", "--blocks", "3"]
        with run.here.start(more, run.folder, {}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as resumed:
            ends = seconds_until(lambda: resumed.poll() is not None, RUN_S) is not None
        added = [(row["error"], len(row["generators"])) for row in run.rows()[4:]]
        yield ends and added == [(None, 2)] * 2, f"gone on with on the same hosts: {added}"
        yield from _nothing_left(run)


def link_cut() -> Iterator[Claim]:
    """The host of a generator has no network any more; its link is mended after fifteen seconds."""

    def mend(run: Run) -> None:
        run.there[0].link("up")

    yield from _struck(lambda run: run.there[0].link("down"), r"no heartbeat from it", mend)


def generator_killed() -> Iterator[Claim]:
    """The Locust worker on a host gets SIGKILL."""
    yield from _struck(lambda run: _kill(run.there[0], "loadtests generator"), "ended by SIGKILL")


def agent_killed() -> Iterator[Claim]:
    """All processes of the agent on a host get SIGKILL, the one that sshd has started first."""
    yield from _struck(lambda run: _kill(run.there[0], "harness agent"), "lost its agent")


def ssh_killed() -> Iterator[Claim]:
    """Our end of the link gets SIGKILL."""
    yield from _struck(lambda run: _kill(run.here, run.there[0].address, "ssh -T"), "lost its agent")


def harness_killed() -> Iterator[Claim]:
    """The process that the user has started gets SIGKILL in the middle of a slice."""
    with running() as run:
        yield seconds_until(run.loaded, 60) is not None, "all generators load a server"
        _kill(run.here, "harness run")
        yield from _nothing_left(run)


def harness_cut_off() -> Iterator[Claim]:
    """The harness' host has no network any more, so that no pipe closes."""
    with running() as run:
        yield seconds_until(run.loaded, 60) is not None, "all generators load a server"
        run.here.link("down")
        took_s = seconds_until(lambda: not any(host.processes() for host in run.there), GONE_S)
        left = {name: found for name, found in run.left().items() if name != run.here.name}
        yield took_s is not None, f"nothing left on the generators' hosts after {took_s or GONE_S:.1f} s {left or ''}"
        yield seconds_until(lambda: run.process.poll() is not None, RUN_S) is not None, "the run ends"
        yield from _nothing_left(run)


def server_apart() -> Iterator[Claim]:
    """Servers and their services are on a host of their own, whose clock is two days ahead."""
    served: set[str] = set()
    clients: set[str] = set()
    with running(WITH_SERVICES.replace("slice_s = 6", "slice_s = 0.5") + CALM, apart=True) as run:

        def ended() -> bool:
            clients.update(run.serving.clients())
            served.update(run.serving.processes().values())
            return run.process.poll() is not None

        yield seconds_until(ended, RUN_S) is not None, f"it ends, with exit code {run.process.poll()}"
        rows = run.rows()
        why = [row["error"] or row["reasons"] for row in rows]
        yield len(rows) == 6 and all(row["valid"] for row in rows), f"6 trials, all valid: {why}"  # noqa: PLR2004
        read = [(row["memory_bytes"] or 0, sum(each["cpu_s"] for each in row["slices"])) for row in rows]
        yield all(memory > 0 and cpu > 0 for memory, cpu in read), f"memory and CPU of servers: {read}"
        upstream = [row["services_cpu_s"].get("upstream", 0.0) for row in rows]
        yield all(upstream), f"CPU of the upstream: {upstream}"
        there = [word for word in ("gunicorn", "uvicorn", "targets.upstream") if any(word in each for each in served)]
        yield len(there) == 3, f"on the servers' host ran {there}"  # noqa: PLR2004
        expected = {host.address for host in run.there}
        others = clients - expected - {run.here.address, run.serving.address, "127.0.0.1"}  # the upstream's are there
        yield clients >= expected and not others, f"servers had connections from {sorted(clients)}"
        head = json.loads((run.folder / "out/run.json").read_text())
        machine = head["environment"]["server_machine"]
        took_us = [machine["round_trip_us"]]
        took_us += [each["round_trip_us"] for each in head["environment"]["generator_machines"].values()]
        yield all(0 < each < 1e5 for each in took_us), f"round trips of {took_us} us to {machine['name']}"  # noqa: PLR2004
        yield from _nothing_left(run)


def server_cut_off() -> Iterator[Claim]:
    """The servers' host has no network any more, for fifteen seconds."""
    yield from _server_struck(lambda run: run.serving.link("down"), lambda run: run.serving.link("up"))


def server_agent_killed() -> Iterator[Claim]:
    """All processes of the agent on the servers' host get SIGKILL."""
    yield from _server_struck(lambda run: _kill(run.serving, "harness agent"))


def server_harness_killed() -> Iterator[Claim]:
    """The process that the user has started gets SIGKILL in the middle of a slice."""
    with running(WITH_SERVICES, apart=True) as run:
        yield seconds_until(run.loaded, 60) is not None, "all generators load a server"
        _kill(run.here, "harness run")
        yield from _nothing_left(run)


def server_harness_cut_off() -> Iterator[Claim]:
    """The harness' host has no network any more, so that no pipe closes."""
    with running(WITH_SERVICES, apart=True) as run:
        yield seconds_until(run.loaded, 60) is not None, "all generators load a server"
        run.here.link("down")
        took_s = seconds_until(lambda: not any(host.processes() for host in (run.serving, *run.there)), GONE_S)
        yield took_s is not None, f"nothing left on the other hosts after {took_s or GONE_S:.1f} s"
        yield seconds_until(lambda: run.process.poll() is not None, RUN_S) is not None, "the run ends"
        yield from _nothing_left(run)


def _server_struck(strike: Callable[[Run], None], mend: Callable[[Run], None] | None = None) -> Iterator[Claim]:
    """Strike the servers' host in the middle of a slice."""
    with running(WITH_SERVICES, apart=True) as run:
        yield seconds_until(run.loaded, 60) is not None, "all generators load a server"
        before = run.serving.processes().keys()
        strike(run)
        struck = time.monotonic()
        took_s = seconds_until(run.rows, VOID_S)
        errors = {str(row["error"]) for row in run.rows()}
        named = f"the servers' machine root@{run.serving.address} is lost: "
        fits = bool(errors) and all(named in error for error in errors)
        yield took_s is not None and fits, f"void after {took_s or VOID_S:.1f} s: {'; '.join(errors) or 'no row'}"

        def left() -> list[str]:
            return [words for pid, words in run.serving.processes().items() if pid in before]

        gone_s = seconds_until(lambda: not left(), struck + GONE_S - time.monotonic())
        yield gone_s is not None, f"nothing of it is left there after {time.monotonic() - struck:.1f} s: {left()}"
        if mend is not None:
            mend(run)
        yield seconds_until(lambda: run.process.poll() is not None, RUN_S) is not None, "the run goes on, and ends"
        last = [row["error"] for row in run.rows() if row["block"] == 2]  # noqa: PLR2004 - the third
        yield last == [None, None], f"the last block is measured: {last}"
        yield from _nothing_left(run)


def _struck(strike: Callable[[Run], None], says: str, mend: Callable[[Run], None] | None = None) -> Iterator[Claim]:
    """Strike the first generator in the middle of a slice; `says` is what the rows must say of it."""
    with running() as run:
        yield seconds_until(run.loaded, 60) is not None, "all generators load a server"
        host = run.there[0]
        before = host.processes().keys()
        strike(run)
        struck = time.monotonic()
        took_s = seconds_until(run.rows, VOID_S)
        errors = {str(row["error"]) for row in run.rows()}
        named = f"generator 1 of 2 on root@{host.address}"
        fits = bool(errors) and all(named in error and says in error for error in errors)
        yield took_s is not None and fits, f"void after {took_s or VOID_S:.1f} s: {'; '.join(errors) or 'no row'}"

        def old() -> set[int]:
            return set(before & host.processes().keys())

        gone_s = seconds_until(lambda: not old(), struck + GONE_S - time.monotonic())
        left = [words for pid, words in host.processes().items() if pid in before]
        yield gone_s is not None, f"its processes have ended on {host.name} {left or ''}"
        if mend is not None:
            mend(run)
        yield seconds_until(lambda: run.process.poll() is not None, RUN_S) is not None, "the run goes on, and ends"
        blocks = [(row["block"], row["error"]) for row in run.rows()]
        went_on = mend is not None or [error for block, error in blocks if block == 1] == [None, None]
        yield len(blocks) == 4 and went_on, f"rows of both blocks: {blocks}"  # noqa: PLR2004 - two arms, two blocks
        yield from _nothing_left(run)


def _nothing_left(run: Run) -> Iterator[Claim]:
    took_s = seconds_until(lambda: not run.left(), GONE_S)
    yield took_s is not None, f"nothing left on any host after {took_s or GONE_S:.1f} s {run.left() or ''}"


def _kill(host: Host, *words: str) -> None:
    """SIGKILL for those processes of a host whose command lines hold all `words`; raises `LookupError` without any."""
    found = [pid for pid, line in sorted(host.processes().items()) if all(word in line for word in words)]
    if not found:
        raise LookupError(f"no {' '.join(words)} on {host.name}: {host.processes()}")
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


PROOFS = {
    proof.__name__: proof
    for proof in (
        whole,
        link_cut,
        generator_killed,
        agent_killed,
        ssh_killed,
        harness_killed,
        harness_cut_off,
        server_apart,
        server_cut_off,
        server_agent_killed,
        server_harness_killed,
        server_harness_cut_off,
    )
}


def main(*names: str) -> int:
    """Check the claims of these names, or all; returns the exit code."""
    if (why := missing()) is not None:
        print(f"no hosts: {why}")
        return 2
    if unknown := [name for name in names if name not in PROOFS]:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(PROOFS)}")
        return 2
    failed = 0
    for name in names or PROOFS:
        print(f"{name}: {PROOFS[name].__doc__}", flush=True)
        for held, figures in PROOFS[name]():
            failed += not held
            print(f"    {'PASS' if held else 'FAIL'}  {figures}", flush=True)
    print(f"{failed} failed" if failed else "all held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
