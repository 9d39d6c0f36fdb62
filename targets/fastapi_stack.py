"""FastAPI's middleware stack: trusted hosts and CORS are Starlette's own, timing comes in two makes.

Order: timing outermost, then CORS, then trusted hosts, then the app.
"""

import time

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from targets import timing
from targets.contract import cors, routes
from targets.settings import Settings


class PureTiming:
    """Timing as an ASGI app around an ASGI app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and put the header on the answer as it comes by."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[routes.X_PROCESS_TIME] = timing.finish(
                    scope["method"], scope["path"], message["status"], started
                )
            await send(message)

        await self.app(scope, receive, send_timed)


class BaseTiming(BaseHTTPMiddleware):
    """Timing as most tutorials write it: a task and a stream between the app and the server."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Await the answer, then put the header on it."""
        started = time.perf_counter()
        response = await call_next(request)
        response.headers[routes.X_PROCESS_TIME] = timing.finish(
            request.method, request.url.path, response.status_code, started
        )
        return response


def install(app: FastAPI, settings: Settings) -> None:
    """Put the stack around `app`; what is added last is outermost."""
    if settings.middleware == "none":
        return
    timing.configure()
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.trusted_hosts))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=cors.ORIGINS,
        allow_methods=cors.METHODS,
        allow_headers=cors.HEADERS,
        max_age=cors.MAX_AGE_S,
    )
    app.add_middleware(BaseTiming if settings.middleware == "base" else PureTiming)
