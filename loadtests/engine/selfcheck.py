"""The generator judges itself over a counted window: by its CPU, its waits for a CPU, its pauses and its lateness."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import suppress

from harness.spec import GeneratorLimits, SliceCheck
from harness.spec.histogram import Histogram
from loadtests.engine.timer import monotonic_ns

PERIOD_NS = 250_000_000


class SelfCheck:
    """Samples the thread that drives the load; the caller calls `sample` every `PERIOD_NS` of the window."""

    def __init__(self, limits: GeneratorLimits) -> None:
        self._limits = limits
        self._schedstat = -1
        with suppress(OSError):  # a kernel without scheduling statistics
            self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._samples: list[tuple[int, int, int]] = []
        self._pause_ns = 0
        self._pause_from = 0
        gc.callbacks.append(self._on_gc)

    def start(self) -> None:
        """Begin a window."""
        self._pause_ns = 0
        self._samples = [self._read()]

    def sample(self) -> None:
        """Take the sample of a period."""
        self._samples.append(self._read())

    def finish(self) -> None:
        """End the window. A short last piece joins the one before it: a CPU share over a few milliseconds is noise."""
        last = self._read()
        if len(self._samples) > 1 and last[0] - self._samples[-1][0] < PERIOD_NS // 2:
            self._samples.pop()
        self._samples.append(last)

    def judge(self, lateness: Histogram | None = None, response: Histogram | None = None) -> SliceCheck:
        """Judge the window that is over, an open one also by its lateness and response times."""
        pieces = list(zip(self._samples, self._samples[1:], strict=False))
        cpu = max(((b[1] - a[1]) / (b[0] - a[0]) for a, b in pieces), default=0.0)
        first, last = self._samples[0], self._samples[-1]
        waiting = (last[2] - first[2]) / max(last[0] - first[0], 1)
        reasons = tuple(self._reasons(100 * cpu, waiting, lateness, response))
        return SliceCheck(
            cpu_percent=100 * cpu,
            waiting_fraction=waiting,
            gc_pause_s=self._pause_ns / 1e9,
            cpu_s=(last[1] - first[1]) / 1e9,
            valid=not reasons,
            reasons=reasons,
        )

    def _reasons(
        self, cpu_percent: float, waiting: float, lateness: Histogram | None, response: Histogram | None
    ) -> Iterator[str]:
        limits = self._limits
        if cpu_percent > limits.cpu_percent:
            yield f"generator used {cpu_percent:.0f} % of a core for 250 ms (at most {limits.cpu_percent:.0f} %)"
        if waiting > limits.waiting_fraction:
            yield f"generator waited for a CPU {waiting:.0%} of the time (at most {limits.waiting_fraction:.0%})"
        if lateness is not None and response is not None:
            late_us, response_us = lateness.percentile(99), response.percentile(99)
            if late_us > max(limits.lateness_p99_us, limits.lateness_of_response * response_us):
                yield f"arrivals late: p99 {late_us / 1000:.1f} ms, of the response {response_us / 1000:.1f} ms"

    def close(self) -> None:
        """Close the file that it holds, and listen to the garbage collector no longer."""
        gc.callbacks.remove(self._on_gc)
        if self._schedstat >= 0:
            os.close(self._schedstat)

    def _read(self) -> tuple[int, int, int]:
        """Now, the time on a CPU so far, and the time runnable without one so far, in nanoseconds."""
        if self._schedstat < 0:
            return monotonic_ns(), time.thread_time_ns(), 0
        running, waiting, _ = os.pread(self._schedstat, 100, 0).split()
        return monotonic_ns(), int(running), int(waiting)

    def _on_gc(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._pause_from = monotonic_ns()
        else:
            self._pause_ns += monotonic_ns() - self._pause_from
