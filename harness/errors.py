"""The errors of gatebench, by what the user can do about them.

GatebenchError              a message for the user, no traceback
├── UsageError              the call or a definition is wrong: exit 2
│   └── DefinitionError     every error of the TOML files at once, each with file and key
├── NothingValidError       nothing valid came out, or a port that was asked for is taken: exit 3
├── GateError               a gate failed: a regression, a missed SLO, a wrong answer, an unfit machine: exit 1
├── RecordError             a file under results/ is not what it should be, by name: exit 2
├── LaunchError             a process did not come up, or died; carries the last lines of its log
├── AnswerError             a target answered wrongly: never a measurement
└── LoadError               the Locust run ended early
"""

from __future__ import annotations


class GatebenchError(Exception):
    """The root of all errors; the command line ends with `exit_code`."""

    exit_code = 3


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


class RecordError(GatebenchError):
    """A record cannot be read, or cannot be true."""

    exit_code = 2


class LaunchError(GatebenchError):
    """A process did not come up, or died."""


class AnswerError(GatebenchError):
    """A target answered wrongly."""


class LoadError(GatebenchError):
    """A Locust run ended early."""
