"""The look at the machine before anything is spent: what disturbs is named, with what it costs and what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.machine import cgroups, demand, look
from harness.machine.demand import Demand
from harness.machine.look import Busy, Finding, Noise
from harness.machine.placement import Placement, place
from harness.suite import Thresholds
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
QUIET = Noise(outside=0.02, steal=0.0)
TWO = Placement(server=(0,), generator=(1,), services=(1,))
SPIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
open("/proc/self/comm", "w").write("spinner")
print("busy", flush=True)
while True:
    pass
"""
PROBE = """
import json, os, resource, sys
exec(sys.argv[1])
from dataclasses import asdict
from harness.machine import doctor, look
from harness.machine.demand import USUAL
from harness.machine.placement import place, usable_cpus
from harness.suite import Thresholds

seconds = float(sys.argv[2])
before = look.look(USUAL, place(usable_cpus()), Thresholds(), look.watch(seconds))
print(json.dumps([[asdict(each) for each in found] for found in (before, doctor.examine(seconds))]))
"""


@dataclass(frozen=True)
class Probed:
    """What the look and doctor found in another process."""

    look: dict[str, dict[str, Any]]
    doctor: dict[str, dict[str, Any]]

    def both(self, what: str) -> dict[str, Any]:
        """The one about `what`, of which both said the same."""
        mine, theirs = self.look[what], self.doctor[what]
        assert mine["grade"] == theirs["grade"]
        return mine


def probed(first: str = "", seconds: float = 0.0) -> Probed:
    """Have another process execute `first`, and then look at the machine."""
    argv = [sys.executable, "-c", PROBE, first, str(seconds)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=True)
    before, examined = ({each["what"]: each for each in found} for found in json.loads(done.stdout))
    return Probed(before, examined)


def test_a_low_descriptor_limit_is_named_with_what_is_needed() -> None:
    """A process whose hard limit is lowered, since the soft one is raised to it."""
    found = probed("resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))").both("file descriptors")
    assert (found["grade"], found["seen"]) == (
        "unfit",
        "200 open files a server, 1,024 needed; 200 for the load generator, 1,024 needed",
    )
    assert "connections beyond them fail" in found["effect"]
    assert "ulimit -Hn 65536" in found["remedy"]


@pytest.mark.parametrize(
    ("server", "generator", "grade", "remedy"),
    [
        (65_536, 200_000, "ok", ""),
        (65_537, 200_000, "unfit", "lower `connections`, or allow servers more, which get 65,536: ulimit -n 65537"),
        (65_536, 1_000_001, "unfit", "raise the hard limit, as root: ulimit -Hn 1000001; or lower `connections`"),
    ],
)
def test_descriptors_are_judged_by_what_is_given(server: int, generator: int, grade: str, remedy: str) -> None:
    """To servers up to 65,536, to the load generator all of the hard limit."""
    found = look.descriptors(Demand(server, generator, 0), (1024, 1_000_000))
    assert (found.grade, found.remedy) == (grade, remedy)
    assert f"65,536 open files a server, {server:,} needed; 1,000,000 for the load generator" in found.seen


def test_a_process_on_one_cpu_is_told_that_nothing_valid_can_come_of_it() -> None:
    """By its affinity."""
    found = probed("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})").both("CPUs")
    assert (found["grade"], found["seen"]) == ("unfit", "1 in use")
    assert "no figure can be trusted" in found["effect"]
    assert "two CPUs or more" in found["remedy"]


@pytest.mark.live
def test_a_busy_process_is_named_with_its_share() -> None:
    """A real one, on a CPU of its own; what we have started ourselves is not meant."""
    cpu = max(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", SPIN, str(cpu)], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout is not None
            assert busy.stdout.readline() == b"busy\n"
            said, ours = probed(seconds=0.8), look.watch(0.4)
        finally:
            busy.kill()
    for found in (said.look["load of others"], said.doctor["load of others"]):
        assert found["grade"] != "ok"
        assert f"spinner (pid {busy.pid}) " in found["seen"]
        assert "at most 10\u202f% of the CPUs" in found["effect"]
    assert busy.pid not in {each.pid for each in ours.busy}


@contextmanager
def real_cgroup() -> Iterator[Path]:
    """A cgroup of half a core; skips the test where none can be made."""
    folder = Path("/sys/fs/cgroup/cpu" if Path("/sys/fs/cgroup/cpu").is_dir() else "/sys/fs/cgroup")
    folder /= f"gatebench-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        if (folder / "cpu.cfs_quota_us").exists():
            (folder / "cpu.cfs_quota_us").write_text("50000")
        else:
            (folder / "cpu.max").write_text("50000 100000")
        yield folder
    except OSError as error:
        pytest.skip(f"no quota can be set here: {error}")
    finally:
        folder.rmdir()


def test_half_a_core_of_a_real_cgroup_is_named() -> None:
    """By a process in it."""
    with real_cgroup() as folder:
        found = probed(f"open('{folder}/cgroup.procs', 'w').write(str(os.getpid()))")
    quota = found.both("CPU quota")
    assert (quota["grade"], quota["seen"]) == ("unfit", "0.5 CPUs of time on 1 CPU")
    assert found.both("CPUs")["seen"] == "1 in use, cgroup quota 0.5"


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/", {"cpu.max": "50000 100000\n"}),
        ("0::/a.slice/b.scope", {"a.slice/cpu.max": "50000 100000\n", "a.slice/b.scope/cpu.max": "max 100000\n"}),
        (
            "4:cpu,cpuacct:/docker/x\n0::/",
            {"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        ),
        (
            "1:cpu:/job",
            {
                "cpu/job/cpu.cfs_quota_us": "50000",
                "cpu/job/cpu.cfs_period_us": "100000",
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
            },
        ),
    ],
)
def test_half_a_core_of_quota_is_named(tmp_path: Path, own: str, files: dict[str, str]) -> None:
    """Of the process's own cgroup or of one above it, in both versions, also where the path is the host's."""
    written(tmp_path, {"proc/self/cgroup": own} | {f"sys/fs/cgroup/{name}": content for name, content in files.items()})
    found = look.quota(TWO, cgroups.quota(tmp_path))
    assert (found.grade, found.seen) == ("unfit", "0.5 CPUs of time on 2 CPUs")
    assert "stalls that are no server's" in found.effect
    assert look.quota(TWO, 2.0).grade == look.quota(TWO, None).grade == "ok"


def written(root: Path, files: dict[str, str]) -> None:
    """Make files with this content under `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/", {"memory.max": "200000000", "memory.current": "150000000", "memory.stat": "inactive_file 50000000"}),
        (
            "0::/a.slice/b.scope",
            {
                "a.slice/memory.max": "200000000",
                "a.slice/memory.current": "100000000",
                "a.slice/memory.stat": "anon 5",
                "a.slice/b.scope/memory.max": "max",
                "a.slice/b.scope/memory.current": "1",
                "a.slice/b.scope/memory.stat": "",
            },
        ),
        (
            "9:memory:/docker/x",
            {
                "memory/memory.limit_in_bytes": "200000000",
                "memory/memory.usage_in_bytes": "160000000",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 60000000",
            },
        ),
        (
            "9:memory:/job",
            {
                "memory/job/memory.limit_in_bytes": "200000000",
                "memory/job/memory.usage_in_bytes": "100000000",
                "memory/job/memory.stat": "cache 1",
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/memory.usage_in_bytes": "1",
                "memory/memory.stat": "cache 1",
            },
        ),
    ],
)
def test_memory_that_a_cgroup_does_not_allow_is_not_available(tmp_path: Path, own: str, files: dict[str, str]) -> None:
    """The smaller of the machine's and the cgroup's, which is named; files in the page cache are no use of it."""
    written(tmp_path, {"proc/self/cgroup": own} | {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    within = cgroups.memory(tmp_path)
    assert within == cgroups.Memory(limit=200_000_000, left=100_000_000)
    found = look.memory(demand.USUAL, 8 << 30, within)
    assert found.grade == "warning"
    assert found.seen.replace("\u202f", " ").startswith("95.4 MiB available of the cgroup's limit of 191 MiB, about ")
    assert "docker --memory" in found.remedy
    assert look.memory(demand.USUAL, None, within) == found
    few = look.memory(demand.USUAL, 1 << 20, within)
    assert "cgroup" not in few.seen + few.remedy
    assert cgroups.memory(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("threads", "grade"),
    [({0: "0", 1: "1"}, "ok"), ({0: "0-1", 1: "0-1"}, "warning"), ({0: "0,1", 1: "0,1"}, "warning"), ({}, "ok")],
)
def test_a_core_that_servers_and_generator_share_is_named(tmp_path: Path, threads: dict[int, str], grade: str) -> None:
    """By its two threads."""
    for cpu, text in threads.items():
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{text}\n")
    found = look.siblings(TWO, tmp_path)
    assert found.grade == grade
    assert grade == "ok" or "CPU 0 and 1" in found.seen


def test_thresholds_are_those_of_the_plan() -> None:
    """And stand in the effect."""
    strict, lax = Thresholds(steal=0.01, outside_load=0.01), Thresholds(steal=0.2, outside_load=0.2)
    noise = replace(QUIET, outside=0.1, steal=0.1)
    for find in (look.steal, look.load_of_others):
        assert find(noise, lax).grade == "ok"
        assert find(noise, strict).grade == "warning"
        assert "trials may be invalid" in find(noise, strict).effect
        assert "at most 1\u202f%" in find(noise, strict).effect
    assert look.load_of_others(replace(QUIET, outside=0.6), Thresholds()).grade == "unfit"


def test_a_busy_process_disturbs_however_many_cpus_there_are() -> None:
    """It may be on that of a server; one that is next to idle is only named."""
    busy = replace(QUIET, busy=(Busy("backup", 7, 0.9),))
    assert look.load_of_others(busy, Thresholds()).grade == "warning"
    idle = look.load_of_others(replace(QUIET, busy=(Busy("backup", 7, 0.1),)), Thresholds())
    assert (idle.grade, "backup (pid 7)" in idle.seen) == ("ok", True)


def test_what_a_plan_needs_is_that_of_its_largest_group() -> None:
    """Connections of all arms in the generator, or of one and its calls in a server; workers that live at once."""
    small = [factories.arm(connections=10)]
    large = [factories.arm(connections=900, workers=4), factories.flask_arm(connections=900)]
    assert Demand.of([small, large]) == Demand(1800 + 128, 1800 + 128, 5 * demand.WORKER_BYTES + demand.OWN_BYTES)
    assert Demand.of([small]).server_files == 20 + 128
    assert Demand.of([small]).generator_files == 10 + 128
    assert Demand.of([]).server_files == 128


def test_memory_that_does_not_suffice_is_warned_of(tmp_path: Path) -> None:
    """By what the kernel says is available."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable:    1024 kB\n")
    assert look.available_bytes(tmp_path) == 1 << 20
    found = look.memory(demand.USUAL, look.available_bytes(tmp_path))
    assert (found.grade, "1.00\u202fMiB available" in found.seen) == ("warning", True)
    assert look.memory(demand.USUAL, look.available_bytes(tmp_path / "nothing")).grade == "ok"


def test_a_finding_is_a_sentence_of_evidence_effect_and_remedy() -> None:
    """As it is printed before a run."""
    assert (
        Finding("steal", "warning", "7 %", "invalid", "another host").sentence == "steal: 7 %: invalid → another host"
    )
    assert look.cpus(place((0, 1)), None).sentence == "CPUs: 2 in use: servers on 0, generator on 1"
