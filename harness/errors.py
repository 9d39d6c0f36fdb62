"""The errors of gatebench, by what the user can do about them.

GatebenchError              a message for the user, no traceback
├── UsageError              the call or a definition is wrong: exit 2
│   └── DefinitionError     every error of the TOML files at once, each with file and key
├── NothingValidError       nothing valid came out, or a port that was asked for is taken: exit 3
├── GateError               a gate failed: a regression, a missed SLO, a wrong answer, an unfit machine: exit 1
├── UndecidedError          a gate has no verdict on a pair, and no candidate failed: exit 3
├── RecordError             a file under results/ is not what it should be, by name: exit 2
│   └── StorageError        a record cannot be written, the disk is full or read-only: exit 3
├── LaunchError             a process did not come up, or died; carries the last lines of its log
│   ├── MemoryLimitError    the memory limit of its pod had the kernel kill it
│   └── ServiceError        what a server needs beside it is not there: a service, a free port
├── AnswerError             a target answered wrongly: never a measurement
└── LoadError               the Locust run ended early
"""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.masking import plain

Fault = Literal["arm", "machine", "unclear"]
"""Whose fault a failure is: the arm's own; that of the machine, the services or the load generator; or not known."""


class GatebenchError(Exception):
    """The root of all errors; the command line ends with `exit_code`."""

    exit_code = 3
    fault: ClassVar[Fault] = "unclear"
    """Whose fault it is when an arm cannot be measured for this error."""

    def __str__(self) -> str:
        """The message as it stands in rows and on the terminal: it may quote what a server has sent or printed."""
        return plain(super().__str__())


class UsageError(GatebenchError):
    """The call is wrong."""

    exit_code = 2


class DefinitionError(UsageError):
    """Definitions are wrong; `problems` holds them all, each with file and key."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems apart and join them for reading."""
        super().__init__("\n".join(problems))
        self.problems = problems


class NothingValidError(GatebenchError):
    """Nothing valid came out."""


class GateError(GatebenchError):
    """A gate failed."""

    exit_code = 1


class UndecidedError(GatebenchError):
    """A gate has no verdict on a pair, and no candidate failed."""


class RecordError(GatebenchError):
    """A record cannot be read, or cannot be true."""

    exit_code = 2


class StorageError(RecordError):
    """A record cannot be written."""

    exit_code = 3


class LaunchError(GatebenchError):
    """A process did not come up, or died."""

    fault: ClassVar[Fault] = "arm"


class MemoryLimitError(LaunchError):
    """The kernel killed processes of a server, for its pod had used up its memory."""

    def __init__(self, message: str, *, oom_kills: int, peak_bytes: int | None) -> None:
        """Keep what the pod counted, for the row."""
        super().__init__(message)
        self.oom_kills, self.peak_bytes = oom_kills, peak_bytes


class ServiceError(LaunchError):
    """What a server needs beside it is not there."""

    fault: ClassVar[Fault] = "machine"


class AnswerError(GatebenchError):
    """A target answered wrongly."""

    fault: ClassVar[Fault] = "arm"


class LoadError(GatebenchError):
    """A Locust run ended early."""


class TooFewGeneratorsError(LoadError):
    """Those that are left of several generators cannot drive what is asked: nothing was sent."""

    fault: ClassVar[Fault] = "machine"
