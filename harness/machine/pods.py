"""The cgroups that hold a pod, of version 1 or 2: made for a launch, removed after it.

Version 2 lets a group with processes of its own have no limited groups below it, unless it is the topmost. So a pod
stands in the nearest group above us that takes it. What is made is noted on disk before: whoever ends a killed harness
removes its groups too, and the next start those that are left then.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import count
from pathlib import Path

from harness.machine import ledger
from harness.machine.identity import Identity, lives
from harness.machine.namespace import outside

PREFIX = "gatebench-pod-"
SUFFIX = ".pods"
PERIOD_US = 100_000
"""Of a quota: the kernel's default, and Kubernetes'."""
EMPTY_S = 5.0
"""How long the kernel may take to let go of a group whose processes have ended."""
ENTER = 'until [ "$1" = -- ]; do echo $$ > "$1/cgroup.procs" || exit 126; shift; done; shift; exec "$@"'
"""A shell that enters the groups that it is told, and becomes what is behind `--`, of which it reads nothing."""
NEEDS = (
    "a pod needs cgroups that we may make: run as root, or in a session of systemd that delegates cpu and memory "
    "(systemd-run --user --scope -p Delegate=yes gatebench ...); in a container also --privileged"
)
_serial = count()


@dataclass(frozen=True, slots=True)
class Spent:
    """What a pod's groups have counted since they were made; 0 or None where it has no such limit."""

    periods: int = 0
    """In which it ran."""
    throttled: int = 0
    """Periods in which its quota was used up."""
    throttled_s: float = 0.0
    """Seconds that it stood still for that, summed over the CPUs that it was on."""
    oom_kills: int = 0
    peak_bytes: int | None = None
    """The most memory that it has had, pages of files and what the kernel holds for it among it."""

    def plus(self, other: Spent) -> Spent:
        """Both together; of the most memory the sum, which is as much or more than they have had at one time."""
        peaks = [each.peak_bytes for each in (self, other) if each.peak_bytes is not None]
        return Spent(
            periods=self.periods + other.periods,
            throttled=self.throttled + other.throttled,
            throttled_s=self.throttled_s + other.throttled_s,
            oom_kills=self.oom_kills + other.oom_kills,
            peak_bytes=sum(peaks) if peaks else None,
        )

    def since(self, before: Spent) -> Spent:
        """Its quota's counts since `before`; kills and peak as they are now."""
        return replace(
            self,
            periods=self.periods - before.periods,
            throttled=self.throttled - before.throttled,
            throttled_s=max(0.0, self.throttled_s - before.throttled_s),
        )


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a pod; None where it has no such limit. Of version 2 they are one."""

    cpu: Path | None = None
    memory: Path | None = None
    further: tuple[Groups, ...] = ()
    """Of the other pods of the same arm; what is counted is the sum."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where they are."""
        return tuple(dict.fromkeys(folder for folder in (self.cpu, self.memory) if folder is not None))

    def entering(self, argv: Sequence[str]) -> list[str]:
        """What to start instead of `argv`, so that all of it happens in the pod."""
        if not self.folders:
            return list(argv)
        return ["/bin/sh", "-c", ENTER, "sh", *map(str, self.folders), "--", *argv]

    def weigh_together(self, pods: int) -> None:
        """Be one of so many pods that weigh as much as one; raises `OSError`.

        Each group on a CPU has the same weight: where others want it too, four would get four times what one gets.
        """
        for name, usual, least in (("cpu.weight", 100, 1), ("cpu.shares", 1024, 2)):
            if self.cpu is not None and (self.cpu / name).exists():
                (self.cpu / name).write_text(str(max(least, usual // pods)))

    def spent(self) -> Spent:
        """What they have counted until now."""
        cpu = _counts(self.cpu, "cpu.stat")
        memory = _counts(self.memory, "memory.events") or _counts(self.memory, "memory.oom_control")
        stalled_s = cpu["throttled_usec"] * 1e-6 if "throttled_usec" in cpu else cpu.get("throttled_time", 0) * 1e-9
        own = Spent(
            periods=cpu.get("nr_periods", 0),
            throttled=cpu.get("nr_throttled", 0),
            throttled_s=stalled_s,
            oom_kills=memory.get("oom_kill", 0),
            peak_bytes=_number(self.memory, "memory.peak", "memory.max_usage_in_bytes"),
        )
        return reduce(Spent.plus, (each.spent() for each in self.further), own)


NONE = Groups()
"""Of what runs in no pod."""


@contextlib.contextmanager
def made(cpus: float | None, memory_bytes: int | None, root: Path = Path("/")) -> Iterator[Groups]:
    """Groups with a quota of so many CPUs and a limit of so many bytes, until the end of the block.

    Raises `OSError` where none can be had.
    """
    name = f"{PREFIX}{outside().harness.pid}-{outside().harness.start}-{next(_serial)}"
    limits = {"cpu": cpus, "memory": memory_bytes}
    mounts = _mounts(root)
    folders: dict[str, Path] = {}
    try:
        for mount in {name if name in mounts else "" for name, amount in limits.items() if amount is not None}:
            here = {
                each: amount
                for each, amount in limits.items()
                if amount is not None and mount == (each if each in mounts else "")
            }
            folders |= dict.fromkeys(here, _make(name, here, mount, mounts, root))
        yield Groups(folders.get("cpu"), folders.get("memory"))
    finally:
        _remove(set(folders.values()))


def refused(cpus: float | None, memory_bytes: int | None, root: Path = Path("/")) -> str | None:
    """Why no such pod can be had here, and what that needs; None where it can."""
    try:
        with made(cpus, memory_bytes, root):
            return None
    except OSError as error:
        return f"{error.filename or 'cgroups'}: {error.strerror or error}; {NEEDS}"


def sweep(within: Path) -> None:
    """Remove the groups of all harnesses that have ended, by their notes in the folder `within`."""
    for path in within.glob(f"*{SUFFIX}"):
        pid, _, start = path.stem.partition("-")
        if pid.isdigit() and start.isdigit() and not lives(harness := Identity(int(pid), int(start))):
            forget(harness, within)


def forget(harness: Identity, within: Path) -> None:
    """Remove the groups of a harness that has ended with all that it started, and its notes once they are gone."""
    notes = _notes(harness, within)
    with contextlib.suppress(OSError):
        if not _remove({Path(line) for line in notes.read_text(encoding="utf-8").splitlines() if PREFIX in line}):
            notes.unlink()


def _notes(harness: Identity, within: Path) -> Path:
    return within / f"{harness.pid}-{harness.start}{SUFFIX}"


def _note(folder: Path) -> None:
    if within := ledger.folder():
        with contextlib.suppress(OSError), _notes(outside().harness, within).open("a", encoding="utf-8") as notes:
            notes.write(f"{folder}\n")


def _make(name: str, limits: Mapping[str, float], mount: str, mounts: Mapping[str, Path], root: Path) -> Path:
    """A group called `name` with those limits, in the nearest group above us that takes it; raises `OSError`."""
    if mount not in mounts:
        raise FileNotFoundError(2, f"no cgroups with {' and '.join(limits)} are mounted")
    first_error: OSError | None = None
    for above in _above(mount, mounts, root):
        folder = above / name
        try:
            if not mount and not limits.keys() <= set(_text(above / "cgroup.subtree_control").split()):
                (above / "cgroup.subtree_control").write_text(" ".join(f"+{controller}" for controller in limits))
            _note(folder)
            folder.mkdir()
            for controller, amount in limits.items():
                _limit(folder, _settings(controller, amount, second=not mount))
        except OSError as error:
            first_error = first_error or error
            with contextlib.suppress(OSError):
                folder.rmdir()
        else:
            return folder
    raise first_error or FileNotFoundError(2, f"no cgroup with {' and '.join(limits)} is seen")


def _settings(controller: str, amount: float, *, second: bool) -> Mapping[str, str]:
    """File -> what is written into it; those behind the first may be missing."""
    if controller == "cpu":
        quota = str(round(amount * PERIOD_US))
        if second:
            return {"cpu.max": f"{quota} {PERIOD_US}"}
        return {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": str(PERIOD_US)}
    # Swapping would hide that the limit was reached. Kubernetes has all processes of a container killed together.
    if second:
        return {"memory.max": str(amount), "memory.swap.max": "0", "memory.oom.group": "1"}
    return {"memory.limit_in_bytes": str(amount), "memory.memsw.limit_in_bytes": str(amount)}


def _limit(folder: Path, settings: Mapping[str, str]) -> None:
    needed, *others = settings.items()
    (folder / needed[0]).write_text(needed[1])
    for name, text in others:
        with contextlib.suppress(OSError):
            (folder / name).write_text(text)


def _mounts(root: Path) -> dict[str, Path]:
    """Controller of version 1 -> where its groups are; version 2 is under `""`."""
    found: dict[str, Path] = {}
    for line in _text(root / "proc/self/mounts").splitlines():
        _, folder, kind, options, *_ = line.split()
        names = {"cgroup2": [""], "cgroup": options.split(",")}.get(kind, [])
        found |= dict.fromkeys(names, root / folder.lstrip("/"))
    return found


def _above(controller: str, mounts: Mapping[str, Path], root: Path) -> Iterator[Path]:
    """Our own group and those above it, the nearest first; in a container the path may be the host's, and not seen."""
    own = ""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        own = path if controller in names.split(",") else own
    mount = mounts[controller]
    own_folder = mount / own.lstrip("/")
    for folder in (own_folder, *own_folder.parents):
        if folder.is_relative_to(mount) and folder.is_dir():
            yield folder


def _remove(folders: set[Path]) -> set[Path]:
    """Remove them, once they are empty; those that stay after EMPTY_S."""
    deadline = time.monotonic() + EMPTY_S
    while True:
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        folders = {folder for folder in folders if folder.exists()}
        if not folders or time.monotonic() > deadline:
            return folders
        time.sleep(0.01)


def _counts(folder: Path | None, name: str) -> dict[str, int]:
    """The lines `name number` of a file of a group; empty where there is none."""
    pairs = [line.split() for line in _text(folder / name).splitlines()] if folder is not None else []
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}  # noqa: PLR2004 - name and number


def _number(folder: Path | None, *names: str) -> int | None:
    """What the first of those files of a group says that is there."""
    texts = (_text(folder / name).strip() for name in names) if folder is not None else ()
    return next((int(text) for text in texts if text.isdigit()), None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
