"""A PID namespace for all that a verb starts: whoever is killed, the kernel ends everything in it.

The process that the user called stays outside. It forks the harness, which is the first process of the namespace, and
asks the kernel to kill it with its parent. When the first process of a namespace ends, the kernel ends all others,
whatever session, parent or environment they have. Where no namespace can be made, `guard` does what it can without.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from harness.errors import LaunchError
from harness.machine.identity import PROC, Identity, identity

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000
"""Of unshare(2)."""
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_SLAVE = 0x2, 0x4, 0x8, 0x4000, 0x80000
"""Of mount(2)."""
PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""
SWITCH = "GATEBENCH_NAMESPACE"
"""Set to 0, this variable has no namespace made."""
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OF_A_SIGNAL = 128
"""A shell's exit status of a command that a signal ended is this more than its number."""


@dataclass(frozen=True, slots=True)
class Outside:
    """How this harness is known outside of its namespace."""

    harness: Identity
    """The process that the user called."""
    proc: Path
    """Where all processes of the machine are seen."""
    namespace: str
    """The PID namespace in which that process has its id."""


_outside: Outside | None = None


def outside() -> Outside:
    """How we are known on the machine; without a namespace of our own we are what we seem."""
    if _outside is not None:
        return _outside
    ourselves = identity(os.getpid())
    assert ourselves is not None  # noqa: S101 - we live
    return Outside(ourselves, PROC, pid_namespace())


def pid_namespace() -> str:
    """The PID namespace of this process, as the kernel names it."""
    return str((PROC / "self/ns/pid").readlink())


def impossible() -> str | None:
    """Why no namespace can be made here; None when one can. It is tried, in a process that ends at once.

    To be called without threads: a fork would leave them behind, with the locks that they hold.
    """
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH} is 0"
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        os.close(reading)
        os.close(writing)
        return str(error)
    if not child:
        try:
            os.close(reading)
            _try(writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        why = pipe.read().decode()
    os.waitpid(child, 0)
    return why or None


def enter(at_end: Callable[[Identity], None]) -> None:
    """Go on in a namespace of our own, as its first process; nothing changes where none can be made.

    The process that called stays outside, forwards signals and never returns: when the harness has ended it calls
    `at_end` with its own identity, for what a killed harness left on disk, and ends as the harness did.

    Raises `LaunchError` when no process can be started.
    """
    ourselves = identity(os.getpid())
    assert ourselves is not None  # noqa: S101 - we live
    # A signal that comes before it can be forwarded waits until then.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    try:
        _enter(ourselves, at_end)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _enter(ourselves: Identity, at_end: Callable[[Identity], None]) -> None:
    if impossible() is not None:
        return
    before = pid_namespace()
    try:
        _unshare()
    except OSError:  # it could be made when it was tried: a limit was reached since, or there are threads
        return
    proc = os.open(PROC, os.O_RDONLY | os.O_DIRECTORY)
    alive, held = os.pipe()  # its other end closes when we die
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        child = os.fork()
    except OSError as error:
        raise LaunchError(f"no process can be started: {error.strerror}") from error
    if child:
        os.close(alive)
        _stay_outside(child, ourselves, at_end)
    os.close(held)
    _die_with_parent(alive)
    _leave_the_terminal()
    _mount_proc()
    global _outside  # noqa: PLW0603 - a process is in one namespace, for good
    _outside = Outside(ourselves, PROC / f"self/fd/{proc}", before)


def _stay_outside(child: int, ourselves: Identity, at_end: Callable[[Identity], None]) -> NoReturn:
    harness = os.pidfd_open(child)

    def tell(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            signal.pidfd_send_signal(harness, number)

    def forward(number: int, _frame: FrameType | None) -> None:
        tell(number)

    def pause(_number: int, _frame: FrameType | None) -> None:
        """Stop with the harness, and go on with it: Ctrl-Z, and the shell's fg."""
        tell(signal.SIGSTOP)
        # By the kernel's own way of stopping, which spares us where no shell could have us go on.
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, pause)
        tell(signal.SIGCONT)

    for number, handler in (*((number, forward) for number in FORWARDED), (signal.SIGTSTP, pause)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup: the harness ignores it too
            signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    _, status = os.waitpid(child, 0)
    for number in FORWARDED:
        signal.signal(number, signal.SIG_IGN)  # all is over: an impatient second Ctrl-C has nothing to end
    with contextlib.suppress(OSError):  # the next start tidies up
        at_end(ourselves)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else OF_A_SIGNAL - code)


def _leave_the_terminal() -> None:
    """Have the terminal's Ctrl-C come once, forwarded: by itself it reaches the process group in the foreground."""
    os.setpgid(0, 0)
    # Outside of the foreground, writing may stop a process (`stty tostop`), and reading does. The first process of a
    # namespace cannot be stopped so: the kernel would have it try again for ever. Who ignores them may write.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)


def _die_with_parent(alive: int) -> None:
    """Have the kernel kill us with the process outside, which may have died before we could ask."""
    _checked(_libc().prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl")
    if select.select([alive], [], [], 0)[0]:
        os._exit(OF_A_SIGNAL + signal.SIGKILL)


def _try(writing: int) -> None:
    """Make what `enter` makes, and write why it cannot be made."""
    try:
        _unshare()
        child = os.fork()
        if not child:
            try:
                _mount_proc()
            except OSError as error:
                os.write(writing, str(error).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    except OSError as error:
        os.write(writing, str(error).encode())


def _unshare() -> None:
    """Let our next child be the first of a PID namespace, in a user namespace where root alone may make one."""
    user, group = os.geteuid(), os.getegid()
    libc = _libc()
    if user == 0:
        _checked(libc.unshare(CLONE_NEWPID), "unshare")
        return
    _checked(libc.unshare(CLONE_NEWPID | CLONE_NEWUSER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        (PROC / "self" / name).write_text(text)


def _mount_proc() -> None:
    """Have /proc show the processes of the namespace; mounts that come later on the machine are still seen."""
    libc = _libc()
    _checked(libc.unshare(CLONE_NEWNS), "unshare")
    _checked(libc.mount(b"none", b"/", None, MS_REC | MS_SLAVE, None), "mount")
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    _checked(libc.mount(b"proc", b"/proc", b"proc", flags, None), "mount /proc")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
