"""Wait for servers that were started side by side, each by itself: what one waits for says nothing of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from harness.errors import LaunchError
from harness.subject.launch import Launched


def awaited(servers: Sequence[Launched], *, at_once: bool) -> Iterator[tuple[Launched, float | LaunchError | None]]:
    """Each server, in their order, with what `Launched.wait_ready` returned or why it gave no answer.

    `at_once`: all are asked at the same time, else the first answer of one would be seen when that of another was.
    """
    if not servers:
        return
    pool = ThreadPoolExecutor(len(servers) if at_once else 1)
    try:
        waits = [(server, pool.submit(server.wait_ready)) for server in servers]
        for server, wait in waits:
            error = wait.exception()
            if error is not None and not isinstance(error, LaunchError):
                raise error
            yield server, error or wait.result()
    finally:  # Ctrl-C does not wait for those that give no answer yet: they are stopped, and with them the waiting
        pool.shutdown(wait=False, cancel_futures=True)
