"""What the three FastAPI targets have in common: how the app is put together, and how it refuses."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.routing import BaseRoute

from targets import fastapi_stack
from targets.contract import routes
from targets.contract.refusals import RefusedError
from targets.served import CountedAsgi, Served
from targets.settings import Settings

BAD_REQUEST = 400


async def refused(_request: Request, error: Exception) -> JSONResponse:
    """Answer what the contract refuses."""
    refusal = cast("RefusedError", error)
    return JSONResponse({"detail": refusal.detail}, refusal.status, refusal.headers)


async def invalid(_request: Request, _error: Exception) -> JSONResponse:
    """Answer what does not validate."""
    return JSONResponse({"detail": routes.INVALID}, 422)


def assemble(
    settings: Settings,
    handlers: Sequence[BaseRoute],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> FastAPI:
    """Make an app of `handlers`; `lifespan` is to set `app.state.source`.

    The routes are handed over as they are. `include_router` would cost each request another 15 us, of 70, and an app in
    one file, as most are, does not pay that.
    """
    app = FastAPI(routes=list(handlers), lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.settings = settings
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(BAD_REQUEST, invalid)  # a body that cannot even be decoded
    fastapi_stack.install(app, settings)
    if settings.served is not None:
        app.add_middleware(CountedAsgi, served=Served(settings.served))  # what is added last is outermost
    return app
