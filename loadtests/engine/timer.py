"""Wake-ups finer than a millisecond: a timerfd on CLOCK_MONOTONIC.

libev rounds gevent's timers up to whole milliseconds. A timerfd is a file descriptor that the kernel makes readable at
a given nanosecond. Python has `os.timerfd_create` only from 3.13 on; this calls libc's through ctypes.
"""

from __future__ import annotations

import ctypes
import os
import time

monotonic_ns = time.monotonic_ns
"""The clock of the whole engine: CLOCK_MONOTONIC, which on Linux is one clock for all processes of a machine."""

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_libc = ctypes.CDLL(None, use_errno=True)
_Setting = ctypes.c_long * 4  # struct itimerspec: interval and value, each seconds and nanoseconds


class Timer:
    """A file descriptor that becomes readable at the moment it is armed for; `OSError` when there is none left."""

    def __init__(self) -> None:
        self.fd: int = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self.armed_ns = 0
        self._setting = _Setting()
        self._settime = _libc.timerfd_settime

    def arm(self, at_ns: int) -> None:
        """Fire once at `at_ns`, in place of the moment armed before; at once if that is past, never if it is 0."""
        if at_ns != self.armed_ns:
            self.armed_ns = at_ns
            self._setting[2], self._setting[3] = divmod(at_ns, 1_000_000_000)
            if self._settime(self.fd, _ABSOLUTE, self._setting, None):
                raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        """Give the file descriptor back."""
        os.close(self.fd)
