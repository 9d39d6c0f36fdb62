"""What is seen of a server whose processes come and go."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.machine.identity import PROC
from harness.machine.process import running
from harness.trial.episodes.watch import watching
from tests.polling import until

REPLACES = """
import subprocess, sys
burn = "import time\\nwhile time.process_time() < 0.4: pass\\nprint('burnt', flush=True); time.sleep(0.6)"
for _ in range(2):
    subprocess.run([sys.executable, "-c", burn])
print("replaced twice", flush=True)
sys.stdin.readline()
import time
time.sleep(60)
"""


@pytest.mark.live
def test_the_cpu_of_processes_that_have_come_and_gone_is_the_servers(tmp_path: Path) -> None:
    """And so nobody else's; the memory is the most that was held between two moments."""
    log = tmp_path / "log"
    with running([sys.executable, "-c", REPLACES], name="server", log=log) as process:
        server: Any = SimpleNamespace(process=process, proc=PROC, host="127.0.0.1", port=1)
        with watching(server) as watch:
            before = watch.usage()
            now = time.monotonic_ns()
            watch.begin(now, now + 60_000_000_000)
            assert until(lambda: "replaced twice" in log.read_text())
            spent = watch.usage().total_since(before)
        assert spent > 0.7
        assert watch.seen.cores is not None
        assert watch.seen.cores > 0
        assert watch.seen.accept_queue_most == 0
        assert len(process.members()) == 1
        assert watch.most_bytes is not None
        assert watch.most_bytes > 2**20
