"""Why a request is refused: raised by the contract, turned into an answer by each twin.

RefusedError
  +-- UnauthenticatedError  401
  +-- ForbiddenError        403
  +-- UpstreamError         502
"""

from collections.abc import Mapping
from typing import ClassVar

from targets.contract import routes


class RefusedError(Exception):
    """A request that is answered with an error status."""

    status: ClassVar[int]
    headers: ClassVar[Mapping[str, str] | None] = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UnauthenticatedError(RefusedError):
    """No credentials, or none that can be read."""

    status = 401
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__(routes.UNAUTHENTICATED)


class ForbiddenError(RefusedError):
    """Credentials that do not permit this request."""

    status = 403


class UpstreamError(RefusedError):
    """The slow API did not give its document."""

    status = 502

    def __init__(self) -> None:
        super().__init__(routes.NO_UPSTREAM)
