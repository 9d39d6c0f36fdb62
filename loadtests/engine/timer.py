"""Wake-ups finer than a millisecond: a timerfd on CLOCK_MONOTONIC.

gevent's own timers are rounded up to whole milliseconds by libev; a file descriptor that becomes readable at the very
nanosecond is not. Python has `os.timerfd_create` from 3.13 on; until then this is libc's, through ctypes.
"""

from __future__ import annotations

import ctypes
import os
import time

monotonic_ns = time.monotonic_ns
"""The clock of everything in here: CLOCK_MONOTONIC, on Linux the same for all processes."""

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_libc = ctypes.CDLL(None, use_errno=True)
_Setting = ctypes.c_long * 4  # struct itimerspec: interval and value, each seconds and nanoseconds


class Timer:
    """A file descriptor that turns readable at the moment it is armed for."""

    def __init__(self) -> None:
        self.fd: int = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self.armed_ns = 0
        self._setting = _Setting()
        self._settime = _libc.timerfd_settime

    def arm(self, at_ns: int) -> None:
        """Fire once at `at_ns`, at once if that is past; 0: never. Replaces, and takes back, what was armed before."""
        if at_ns != self.armed_ns:
            self.armed_ns = at_ns
            self._setting[2], self._setting[3] = divmod(at_ns, 1_000_000_000)
            if self._settime(self.fd, _ABSOLUTE, self._setting, None):
                raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        """Give the file descriptor back."""
        os.close(self.fd)
