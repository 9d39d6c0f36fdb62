"""Locust's statistics, fed in bulk, so that its console, CSV files and web page show what we counted.

Locust's own clients feed them one request at a time. That takes 2.5 us a request: more than we take to send one and to
receive its answer.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from locust.stats import RequestStats, StatsEntry, StatsError
from numpy.typing import NDArray

from harness.spec import DrivenArm, Mix
from harness.spec.histogram import Histogram


class StatsLine:
    """One line of Locust's table (`recorder.Display`)."""

    def __init__(self, stats: RequestStats, method: str, name: str) -> None:
        self._stats = stats
        self._method = method
        self._name = name
        self._responses = Histogram()
        self._kinds: Counter[str] = Counter()
        self._dropped = 0
        self._sum_ns = 0
        self._least_ns: int | None = None
        self._most_ns = 0

    def good(self, response_ns: NDArray[np.int64]) -> None:
        """Take the response times of good answers; there is at least one."""
        self._responses.record((response_ns + 500) // 1000)
        self._sum_ns += int(response_ns.sum())
        least_ns = int(response_ns.min())
        self._least_ns = least_ns if self._least_ns is None else min(self._least_ns, least_ns)
        self._most_ns = max(self._most_ns, int(response_ns.max()))

    def fail(self, kind: str) -> None:
        """Take a failed request, by the kind of its error."""
        self._kinds[kind] += 1

    def drop(self) -> None:
        """Take a request that is never sent: Locust lists it among the errors, but counts it as no request."""
        self._dropped += 1

    def flush(self, body_length: int) -> None:
        """Hand over what was taken since the last time.

        `body_length`: bytes in the body of a good answer, from which Locust makes its mean size.
        """
        if self._dropped:
            self._error("dropped: no connection was free, and no room in the queue", self._dropped)
            self._dropped = 0
        good, failed = self._responses.count, self._kinds.total()
        if not good + failed:
            return
        now = time.time()
        entry = StatsEntry(self._stats, self._name, self._method)
        entry.start_time = entry.last_request_timestamp = now
        entry.num_requests = good + failed
        entry.num_none_requests = entry.num_failures = failed  # without a response time, hence in no percentile
        entry.num_reqs_per_sec = {int(now): good + failed}
        entry.num_fail_per_sec = {int(now): failed} if failed else {}
        entry.response_times = _rounded(self._responses)
        # Locust annotates whole milliseconds here, but its own clients give floats too
        entry.total_response_time = self._sum_ns / 1e6  # type: ignore[assignment]
        entry.max_response_time = self._most_ns / 1e6  # type: ignore[assignment]
        if self._least_ns is not None:
            entry.min_response_time = self._least_ns / 1e6  # type: ignore[assignment]
        entry.total_content_length = good * body_length
        self._stats.entries[self._name, self._method].extend(entry)
        self._stats.total.extend(entry)
        for kind, times in self._kinds.items():
            self._error(kind, times)
        self._responses = Histogram()
        self._kinds.clear()
        self._sum_ns = self._most_ns = 0
        self._least_ns = None

    def _error(self, kind: str, times: int) -> None:
        key = StatsError.create_key(self._method, self._name, kind)
        error = self._stats.errors.setdefault(key, StatsError(self._method, self._name, kind))
        error.occurred()
        error.occurrences += times - 1


def lines(stats: RequestStats) -> Callable[[DrivenArm], StatsLine]:
    """Makes the line of an arm in Locust's table."""

    def line(arm: DrivenArm) -> StatsLine:
        if isinstance(arm.request, Mix):
            return StatsLine(stats, "mix", f"{arm.name} {arm.request.name}")
        return StatsLine(stats, arm.request.method, f"{arm.name} {arm.request.path}")

    return line


def _rounded(responses: Histogram) -> dict[int, int]:
    """Counts by milliseconds, which are rounded as Locust does: to whole ones below 100, to two digits above.

    Source: `locust.stats.bucket_response_time`.
    """
    middles_us, counts = responses.buckets()
    ms = middles_us / 1000
    step = 10.0 ** np.clip(np.floor(np.log10(np.maximum(ms, 1))) - 1, 0, 3)
    keys, places = np.unique((np.rint(ms / step) * step).astype(np.int64), return_inverse=True)
    return dict(zip(keys.tolist(), np.bincount(places, weights=counts).astype(np.int64).tolist(), strict=True))
