"""The load engine, held against wrk, Locust's own client and servers of a known law: ten claims, each measured.

    .venv/bin/python bench/engine.py [NUMBER ...]

Prints each claim with its figures, PASS or FAIL, and ends with 1 when one fails, with 2 when nginx or wrk is missing.
Ratios are medians of runs that took turns. Needs nginx and wrk (Debian: nginx-light, wrk), two CPUs, and the machine to
itself for four to seven minutes.
"""
# ruff: noqa: PLR2004 - the numbers of a claim are its point

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator

from bench import instruments
from bench.instruments import Placed, arm, closed, null_server, opened, run
from harness import spec
from harness.errors import GatebenchError, LoadError
from harness.machine.process import Process
from harness.spec.histogram import Histogram

CONNECTIONS = 32
MILLION = 1_000_000
QUIET = 0.005
"""Share of the time that the generator may wait for its CPU in a slice that is quiet."""
WIRE_TESTS = "tests/loadtests/test_wire.py"
Claim = tuple[bool, str]
"""Whether it holds, and the figures."""


def latency(slices: tuple[spec.Slice, ...], which: str = "latency") -> Histogram:
    """The histograms of the slices as one; `which`: latency, service or lateness."""
    return Histogram.merged(Histogram.decode(getattr(slice_, which)) for slice_ in slices)


def faster_than_stock(where: Placed) -> Iterator[Claim]:
    """1. Against nginx `return 200`, 32 connections, one core each; medians of five rounds."""
    ours, stock, wrks = [], [], []
    with instruments.nginx(where) as port:
        for _ in range(5):
            stock.append(instruments.rival(where, "fasthttp", f"http://127.0.0.1:{port}", str(CONNECTIONS), "1")["rps"])
            ours.append(run(where, closed(arm(port), slice_s=1)).slices[0].throughput_rps)
            wrks.append(instruments.wrk(where, port, CONNECTIONS, 1))
    times = statistics.median(a / b for a, b in zip(ours, stock, strict=True))
    share = statistics.median(a / b for a, b in zip(ours, wrks, strict=True))
    rps, stock_rps, wrk_rps = (statistics.median(each) for each in (ours, stock, wrks))
    yield times >= 6, f"ours {rps:,.0f}/s, FastHttpUser {stock_rps:,.0f}/s: {times:.1f} times (at least 6)"
    yield share >= 0.25, f"wrk {wrk_rps:,.0f}/s: ours is {share:.2f} of it (at least 0.25)"


def punctual(where: Placed) -> Iterator[Claim]:
    """2. Open load on the same nginx, 10,000 Poisson arrivals a second; medians of quiet slices."""
    slices: list[spec.Slice] = []
    with instruments.nginx(where) as port:
        for _ in range(4):
            more = run(where, opened(port, 10_000, slices=5)).slices
            slices += [slice_ for slice_ in more if slice_.generator.waiting_fraction <= QUIET]
            if len(slices) >= 3:
                break
        else:
            yield (
                False,
                f"the machine is not quiet: other processes held the generator's CPU over {QUIET:.1%} of the time",
            )
            return
    done = sum(slice_.done or 0 for slice_ in slices) / sum(slice_.scheduled or 0 for slice_ in slices)
    late = [latency((slice_,), "lateness") for slice_ in slices]
    p50, p99 = (statistics.median(lateness.percentile(q) for lateness in late) for q in (50, 99))
    cpu = statistics.median(slice_.generator.cpu_percent for slice_ in slices)
    yield done >= 0.999, f"done / scheduled {done:.4f} (at least 0.999)"
    yield p50 <= 50 and p99 <= 500, f"lateness p50 {p50:.0f} us (at most 50), p99 {p99:.0f} us (at most 500)"
    yield cpu < 50, f"generator CPU {cpu:.0f} % of a core (under 50)"


def unhidden(where: Placed) -> Iterator[Claim]:
    """3. A server that stalls once for 1 s in 10 s, at 1,000 arrivals a second."""
    with null_server(where, "stall:4500,1000") as server:
        slices = run(where, opened(server.port, 1000, slice_s=10)).slices
    response, service = latency(slices), latency(slices, "service")
    p95, p99, p50 = response.percentile(95) / 1000, response.percentile(99) / 1000, service.percentile(50) / 1000
    yield abs(p95 - 500) <= 50 and abs(p99 - 900) <= 50, f"response p95 {p95:.0f} ms (500), p99 {p99:.0f} ms (900)"
    yield p50 < 1, f"service p50 {p50:.3f} ms: unmoved"
    blamed = slices[0].generator.reasons
    yield not blamed, f"the generator is not blamed: {'; '.join(blamed) or 'valid'}"
    with null_server(where, "stall:4500,1000") as server:
        hidden = latency(run(where, closed(arm(server.port, connections=8), slice_s=10, warmup_s=0)).slices)
    p99 = hidden.percentile(99) / 1000
    yield p99 < 50, f"closed load hides it: p99 {p99:.3f} ms, though its highest is {hidden.max / 1000:.0f} ms"


def two_peaked(where: Placed) -> Iterator[Claim]:
    """4. A server that takes 5 ms, and every 50th time 200 ms."""
    with null_server(where, "peaks:5,200,50") as server:
        closed_ = latency(run(where, closed(arm(server.port), slices=3, slice_s=1)).slices)
        open_ = latency(run(where, opened(server.port, 1000, slices=2)).slices)
    for name, histogram in (("closed", closed_), ("open", open_)):
        p50, p99 = histogram.percentile(50) / 1000, histogram.percentile(99) / 1000
        held = abs(p50 - 5) <= 1 and abs(p99 - 200) <= 1
        yield held, f"{name}: p50 {p50:.3f} ms (5), p99 {p99:.3f} ms (200), to a millisecond"


def never_again(where: Placed) -> Iterator[Claim]:
    """5. Errors are counted exactly, and nothing is sent twice."""
    with null_server(where, "hangup") as server:
        (total,) = run(where, closed(arm(server.port), slices=2)).totals
        seen = server.seen()["requests"]
    held = total.errors == total.attempts == total.error_kinds.get("reset") == seen
    yield held, f"a server that hangs up: {total.errors:,} errors, {total.attempts:,} attempts, {seen:,} seen by it"
    with null_server(where, "errors:10") as server:
        result = run(where, closed(arm(server.port), slices=2))
        (total,), seen = result.totals, server.seen()["requests"]
    counted = latency(result.slices).count
    good = sum(slice_.requests - slice_.errors for slice_ in result.slices)
    held = total.attempts == seen and total.errors == seen // 10 and counted == good
    yield held, f"one error in ten: {total.errors:,} of {seen:,}; {counted:,} latencies of {good:,} good answers"


def no_edges(where: Placed) -> Iterator[Claim]:
    """6. 40 connections on a server that takes 50 ms, in slices of 0.5 s and of 2 s."""
    for slice_s, slices in ((0.5, 8), (2.0, 2)):
        with null_server(where, "fixed:50") as server:
            result = run(where, closed(arm(server.port, connections=40), slices=slices, slice_s=slice_s))
            seen = server.seen()
        truth = 40 / (seen["seconds"] / seen["requests"])
        little = [slice_.throughput_rps * (slice_.mean_latency_us or 0) / 1e6 for slice_ in result.slices]
        rate = [slice_.throughput_rps / truth for slice_ in result.slices]
        worst = max(little, key=lambda value: abs(value - 40))
        yield abs(worst / 40 - 1) <= 0.05, f"{slice_s} s: throughput x latency {worst:.2f} at worst (40, within 5 %)"
        worst = max(rate, key=lambda value: abs(value - 1))
        yield abs(worst - 1) <= 0.02, f"{slice_s} s: throughput {worst:.4f} of the truth at worst (within 2 %)"


def all_counted(where: Placed) -> Iterator[Claim]:
    """7. Requests sent are requests that the server counted."""
    with null_server(where, "null") as keeping, null_server(where, "closing") as closing:
        servers = (keeping, closing)
        phase = closed(arm(keeping.port), arm(closing.port, connections=8), slices=3)
        sent = [total.attempts for total in run(where, phase).totals]
        seen = [server.seen()["requests"] for server in servers]
        yield sent == seen, f"two arms, three rounds: sent {sent}, seen {seen}"
        stopped = instruments.run_stopped(where, phase, "opened")
        sent = [total.attempts for total in stopped.totals]
        more = [server.seen()["requests"] - before for server, before in zip(servers, seen, strict=True)]
        yield (
            sent == more and bool(stopped.error),
            f"stopped within a slice ({stopped.error}): sent {sent}, seen {more}",
        )


def constant_memory(where: Placed) -> Iterator[Claim]:
    """8. Memory from the first to the tenth million requests, in one slice after another."""
    held: list[tuple[int, int]] = []
    count = 0

    def watch(event: spec.Event, process: Process) -> None:
        nonlocal count
        if event.event == "drained" and event.throughput_rps is not None:
            count += round(event.throughput_rps * 10)
            held.append((count, instruments.resident_bytes(process.pid)))
            if count >= 10 * MILLION:
                process.popen.terminate()

    with instruments.nginx(where) as port, contextlib.suppress(LoadError):  # it ends early, because `watch` ends it
        run(where, closed(arm(port), slices=90, slice_s=10), watch)
    if not held or held[-1][0] < MILLION:
        yield False, f"the engine ended after {held[-1][0] if held else 0:,} requests"
        return
    first = next(size for requests, size in held if requests >= MILLION)
    requests, last = held[-1]
    grown = (last - first) / 1024
    yield (
        requests >= 10 * MILLION and grown <= 1024,
        (f"{first / 2**20:.1f} MiB after the first million, {grown:+,.0f} KiB after {requests / MILLION:.1f} million"),
    )


def hardened(_: Placed) -> Iterator[Claim]:
    """9. Bodies split at every byte, a megabyte, junk, half-closed sockets, slow headers: the tests of a connection."""
    argv = [sys.executable, "-m", "pytest", "-q", WIRE_TESTS, "-p", "no:cacheprovider"]
    done = subprocess.run(argv, cwd=instruments.ROOT, capture_output=True, text=True, check=False)
    last_line = (done.stdout.strip() or done.stderr.strip() or "nothing was printed").splitlines()[-1]
    yield done.returncode == 0, f"{last_line} (needs requirements-dev.txt)" if done.returncode else last_line


def all_workers(where: Placed) -> Iterator[Claim]:
    """10. Four workers on one listening socket, ten slices."""
    slices: list[spec.Slice] = []
    each: list[list[int]] = []
    with null_server(where, "fixed:2", workers=4) as server:
        phase = closed(arm(server.port, response_s=0.001), warmup_s=0.0)
        for _ in range(10):  # phases of one slice: between slices of one phase nobody can look before the next begins
            before = server.seen()["workers"]
            slices += run(where, phase).slices
            each.append([b - a for a, b in zip(before, server.seen()["workers"], strict=True)])
    totals = [sum(slice_[worker] for slice_ in each) for worker in range(4)]
    shares = [total / sum(totals) for total in totals]
    yield (
        min(shares) >= 0.05,
        f"shares over ten slices {', '.join(f'{share:.0%}' for share in shares)} (none under 5 %)",
    )
    by_port = [sum(answers for _, answers in slice_.ports) for slice_ in slices]
    yield (
        by_port == [sum(counts) for counts in each],
        "answers by local port add up to what the workers saw in each slice",
    )


CLAIMS: tuple[Callable[[Placed], Iterator[Claim]], ...] = (
    faster_than_stock,
    punctual,
    unhidden,
    two_peaked,
    never_again,
    no_edges,
    all_counted,
    constant_memory,
    hardened,
    all_workers,
)


def checked(claim: Callable[[Placed], Iterator[Claim]], where: Placed) -> Iterator[Claim]:
    """What a claim comes to; a program that fails on the way is a claim that does not hold."""
    try:
        yield from claim(where)
    except GatebenchError as error:
        yield False, str(error)


def main(*numbers: str) -> int:
    """Check the claims of these numbers, or all; returns the exit code."""
    if gaps := instruments.missing():
        print("\n".join(gaps))
        return 2
    failed = 0
    with instruments.placed() as where:
        for number, claim in enumerate(CLAIMS, start=1):
            if numbers and str(number) not in numbers:
                continue
            print(claim.__doc__, flush=True)
            for held, figures in checked(claim, where):
                failed += not held
                print(f"    {'PASS' if held else 'FAIL'}  {figures}", flush=True)
    print(f"{failed} failed" if failed else "all held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
