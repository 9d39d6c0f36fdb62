"""Flask's middleware stack: functions before and after the request, and Flask's own TRUSTED_HOSTS.

Its order is the order of FastAPI's: timing outermost, then CORS, then trusted hosts, then the app. CORS is written out
because flask-cors answers a preflight that it refuses with 200, where FastAPI's CORSMiddleware says 400.
"""

import time

from flask import Flask, Response, g, request
from werkzeug.exceptions import SecurityError

from targets import timing
from targets.contract import cors, routes
from targets.settings import Settings

PREFLIGHT = "Access-Control-Request-Method"
ALLOW_ORIGIN = "Access-Control-Allow-Origin"


def start_clock() -> None:
    """Timing, on the way in."""
    g.started = time.perf_counter()


def stop_clock(response: Response) -> Response:
    """Timing, on the way out."""
    response.headers[routes.X_PROCESS_TIME] = timing.finish(
        request.method, request.path, response.status_code, g.started
    )
    return response


def answer_preflight() -> Response | None:
    """CORS, on the way in: answer a preflight, whether that origin may send that request; None: it is no preflight."""
    if request.method != "OPTIONS" or "Origin" not in request.headers or PREFLIGHT not in request.headers:
        return None
    asked_headers = request.headers.get("Access-Control-Request-Headers", "").lower().split(",")
    known_headers = {"", "accept", "accept-language", "content-language", *(name.lower() for name in cors.HEADERS)}
    checks = {
        "origin": request.headers["Origin"] in cors.ORIGINS,
        "method": request.headers[PREFLIGHT] in cors.METHODS,
        "headers": all(name.strip() in known_headers for name in asked_headers),
    }
    problems = [name for name, passed in checks.items() if not passed]
    text, status = (f"Disallowed CORS {', '.join(problems)}", 400) if problems else ("OK", 200)
    response = Response(text, status, content_type="text/plain; charset=utf-8")
    response.headers["Access-Control-Allow-Methods"] = ", ".join(cors.METHODS)
    response.headers["Access-Control-Allow-Headers"] = ", ".join(sorted({*cors.SAFELISTED, *cors.HEADERS}))
    response.headers["Access-Control-Max-Age"] = str(cors.MAX_AGE_S)
    return response


def allow_origin(response: Response) -> Response:
    """CORS, on the way out."""
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in cors.ORIGINS:
        response.headers[ALLOW_ORIGIN] = origin
    return response


def foreign_host(_error: SecurityError) -> Response:
    """Trusted hosts: Flask raises this while it routes a request for another host."""
    return Response(routes.INVALID_HOST, 400, content_type="text/plain; charset=utf-8")


def install(app: Flask, settings: Settings) -> None:
    """Put the stack around `app`."""
    timing.configure()
    app.config["TRUSTED_HOSTS"] = list(settings.trusted_hosts)
    app.register_error_handler(SecurityError, foreign_host)
    app.before_request(start_clock)
    app.before_request(answer_preflight)
    app.after_request(stop_clock)  # runs last: Flask calls these functions in reverse order
    app.after_request(allow_origin)
