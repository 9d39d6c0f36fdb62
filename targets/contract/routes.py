"""Paths, headers, and the words of an error answer, which is always ``{"detail": "..."}``."""

HEALTH = "/health"
STATS = "/stats"

JSON = "/json"
PAYLOAD = "/payload"
ITEM = "/items/{item_id}"
ITEM_FLASK = "/items/<item_id>"
"""A converter (`<int:item_id>`) would answer 404 where the contract says 422."""
ITEMS = "/items"
FORM = "/form"
LOGIN = "/login"
ME = "/me"
SECURE = "/secure"
EXTERNAL_DATA = "/external-data"
CACHED_DATA = "/cached-data"
CPU = "/cpu"
SLOW = "/slow"
COMPUTE = "/compute"
STREAM = "/stream"
UPLOAD = "/upload"

EVENTS = "text/event-stream; charset=utf-8"
"""Content type of `/stream`."""
NOT_KEPT = {"Cache-Control": "no-store"}
"""What else a stream says of itself: no cache on its way may keep or collect it."""

X_CACHE = "X-Cache"
"""`hit`, `miss` (asked upstream, then stored), or `bypass` (asked upstream, nothing stored)."""
X_PROCESS_TIME = "X-Process-Time"
"""Seconds, six decimals; only under the middleware stack."""

INVALID = "Invalid request"
"""422: whatever in path, query, form or body cannot be parsed or does not validate."""
UNAUTHENTICATED = "Not authenticated"
WRONG_TOKEN = "Invalid token"  # noqa: S105 - says that a token is wrong, is none
WRONG_PASSWORD = "Wrong name or password"  # noqa: S105 - says that a password is wrong, is none
INACTIVE = "Inactive user"
NO_UPSTREAM = "Upstream unavailable"
INVALID_HOST = "Invalid host header"
"""400, in plain text: Starlette's TrustedHostMiddleware says it so."""
