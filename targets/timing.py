"""What the timing middleware does in every twin: a line in the log, and the header's value."""

import logging
import time
from functools import cache

_LOG = logging.getLogger("gatebench.requests")


@cache
def configure() -> None:
    """Set up the log, once a process, to standard error: the harness writes that to a file, never to a terminal."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False


def finish(method: str, path: str, status: int, started: float) -> str:
    """Log a request that began at `started` (`time.perf_counter`), and say how many seconds it took."""
    process_time = f"{time.perf_counter() - started:.6f}"
    _LOG.info("%s %s %d %s", method, path, status, process_time)
    return process_time
