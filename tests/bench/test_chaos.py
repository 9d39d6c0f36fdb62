"""`make chaos` in half a minute, its table, and what it makes for its runs."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import cgroups, network
from bench.chaos import LAST_S, Outcome, series, tabulate
from bench.faults import FAULTS
from bench.injection import faketime

STARTS_S = 15.0
"""How long faults are injected; the last ones take as long again."""
HARDEST = FAULTS["harness and helper killed"]


@pytest.mark.live
def test_a_run_survives_faults_at_random_moments() -> None:
    """The short form: the one after which nobody is left to clean up, and two others, drawn by a seed.

    The seed is that of the day: a failure can be repeated, and every day other faults have their turn.
    """
    seed = datetime.now(UTC).date().toordinal()
    others = [each for each in FAULTS.values() if each is not HARDEST and not each.patient and not each.absent()]
    drawn = [HARDEST, *random.Random(seed).sample([each for each in others if not each.name.startswith("none")], 2)]
    outcomes = series(drawn, seed, len(drawn), STARTS_S + LAST_S, measured_s={False: 4.0, True: 5.0})
    assert outcomes
    assert [outcome for outcome in outcomes if outcome.problems] == [], f"seed {seed}"


@pytest.mark.skipif(bool(cgroups.refused("freezer")), reason="no cgroups of our own")
def test_processes_are_frozen_let_go_and_given_back() -> None:
    """The group is gone then, and they live."""
    code = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as echo:
        assert echo.stdin is not None
        assert echo.stdout is not None
        with cgroups.frozen(lambda: [echo.pid]) as group:
            assert str(echo.pid) in (group.folder / "cgroup.procs").read_text().split()
            print("here", file=echo.stdin, flush=True)
        assert echo.stdout.readline() == "here\n"
        group.remove()
        assert not group.folder.exists()
        assert echo.poll() is None


def test_a_network_of_its_own_shows_its_ports_alone() -> None:
    """The other threads of the process keep theirs."""

    def isolated() -> list[list[str]] | None:
        if not network.isolate():
            return None
        with socket.create_server(("127.0.0.1", 0)) as server:
            return [network.open_sockets(), [f"port {server.getsockname()[1]}"]]

    ours = Path("/proc/thread-self/ns/net").readlink()
    with ThreadPoolExecutor(1) as alone:
        seen = alone.submit(isolated).result()
    if seen is None:
        pytest.skip("not allowed here")
    assert seen[0] == seen[1]
    assert Path("/proc/thread-self/ns/net").readlink() == ours


@pytest.mark.parametrize("preloaded", [False, True])
def test_a_clock_steps_while_the_monotonic_one_goes_on(preloaded: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """By libfaketime where it is installed, by a wrapper of our own where it is not; Python can sleep under both."""
    library = faketime()
    if preloaded and library is None:
        pytest.skip("no libfaketime")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    code = (
        "import sys, time; from pathlib import Path\n"
        "time.sleep(0.001); wall, steady = time.time(), time.monotonic()\n"
        "Path(sys.argv[1]).write_text('-3600')\n"
        "print(round((time.time() - wall) / 60), round((time.monotonic() - steady) / 60))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(cgroups.__file__).parent / "clock"), "CHAOS_CLOCK": str(clock)}
    if preloaded:
        environment |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    argv = [sys.executable, "-c", code, str(clock)]
    assert subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout == "-60 0\n"


def test_the_table_says_what_was_not_survived_and_how_it_is_repeated() -> None:
    """A fault that missed its run is neither, and is not counted."""
    faults = [FAULTS["SIGINT"], FAULTS["SIGTERM"]]
    outcomes = [
        Outcome("SIGINT", 1),
        Outcome("SIGINT", 2, missed=True),
        Outcome("SIGTERM", 3, problems=["a row is gone"]),
    ]
    said: list[str] = []
    assert not tabulate(faults, outcomes, said.append)
    assert said[1].split() == ["SIGINT", "1", "1", "1"]
    assert said[2].split() == ["SIGTERM", "1", "0", "0"]
    assert said[3].split() == ["all", "faults", "2", "1"]
    assert said[4:] == [
        "FAIL  SIGTERM: a row is gone",
        '      .venv/bin/python bench/chaos.py --count 1 --seed 3 --only "SIGTERM"',
    ]
    assert tabulate(faults, outcomes[:2], said.append)
