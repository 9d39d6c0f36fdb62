"""Whom the middleware stack lets in from other origins; FastAPI's CORSMiddleware is configured with the same values."""

ORIGINS = ("https://app.example.com",)
METHODS = ("GET", "POST")
HEADERS = ("Authorization", "Content-Type")
SAFELISTED = ("Accept", "Accept-Language", "Content-Language", "Content-Type")
"""Request headers that need no permission, which CORSMiddleware allows in any case."""
MAX_AGE_S = 600
