"""What an HTTP library must offer to be a level of the factor client."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol, TypeVar

Session = TypeVar("Session")
KEEP_ALIVE_S = 300.0
"""How long a pool keeps an idle connection: longer than a block of measurements."""


class Library(Protocol[Session]):
    """A blocking library."""

    failures: tuple[type[Exception], ...]
    """What it raises when the upstream gives no document."""

    def open(self) -> AbstractContextManager[Session]:
        """Make what keeps connections."""

    def fetch(self, session: Session, url: str) -> dict[str, Any]:
        """GET `url` and parse its JSON; anything but success raises one of `failures`."""


class AsyncLibrary(Protocol[Session]):
    """An asynchronous library; else the same."""

    failures: tuple[type[Exception], ...]

    def open(self) -> AbstractAsyncContextManager[Session]:
        """Make what keeps connections."""

    async def fetch(self, session: Session, url: str) -> dict[str, Any]:
        """GET `url` and parse its JSON; anything but success raises one of `failures`."""
