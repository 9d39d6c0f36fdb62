"""Machines as their kernels tell of them: recorded topologies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def laid_out(
    root: Path,
    cpus: range,
    *,
    core: Callable[[int], list[int]],
    cache: Callable[[int], list[int]] | None = None,
    node: Callable[[int], int] = lambda _: 0,
) -> Path:
    """Files as the kernel has them: for each CPU the threads of its core, those of its last cache, and its node."""
    for cpu in cpus:
        folder = root / f"sys/devices/system/cpu/cpu{cpu}"
        (folder / "topology").mkdir(parents=True)
        (folder / "topology/thread_siblings_list").write_text(",".join(map(str, core(cpu))) + "\n")
        (folder / f"node{node(cpu)}").mkdir()
        for index, shared in enumerate((core(cpu), cache(cpu) if cache else list(cpus))):
            (folder / f"cache/index{index}").mkdir(parents=True)
            (folder / f"cache/index{index}/shared_cpu_list").write_text(",".join(map(str, shared)) + "\n")
    return root


def plain(root: Path) -> Path:
    """Eight cores of one thread."""
    return laid_out(root, range(8), core=lambda cpu: [cpu])


def halves(root: Path) -> Path:
    """Four cores of two threads, numbered as Intel's: 0 and 4 are one core."""
    return laid_out(root, range(8), core=lambda cpu: [cpu % 4, cpu % 4 + 4])


def neighbours(root: Path) -> Path:
    """Four cores of two threads, numbered as in many virtual machines: 0 and 1 are one core."""
    return laid_out(root, range(8), core=lambda cpu: [cpu // 2 * 2, cpu // 2 * 2 + 1])


def sockets(root: Path) -> Path:
    """Two sockets of four cores of two threads; the kernel numbers first threads first, and sockets in turn."""
    return laid_out(root, range(16), core=lambda cpu: [cpu % 8, cpu % 8 + 8], node=lambda cpu: cpu % 2)


def clusters(root: Path) -> Path:
    """Four clusters of two cores, each with a cache of its own; numbered across the clusters."""
    return laid_out(root, range(8), core=lambda cpu: [cpu], cache=lambda cpu: [cpu % 4, cpu % 4 + 4])


def one_core(root: Path) -> Path:
    """One core of two threads."""
    return laid_out(root, range(2), core=lambda _: [0, 1])


def two_cores(root: Path) -> Path:
    """Two cores of two threads."""
    return laid_out(root, range(4), core=lambda cpu: [cpu // 2 * 2, cpu // 2 * 2 + 1])
