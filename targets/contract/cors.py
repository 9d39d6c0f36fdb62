"""What the middleware stack allows to pages of other origins, the same in Flask and in FastAPI."""

ORIGINS = ("https://app.example.com",)
METHODS = ("GET", "POST")
HEADERS = ("Authorization", "Content-Type")
SAFELISTED = ("Accept", "Accept-Language", "Content-Language", "Content-Type")
"""Request headers that need no permission, which CORSMiddleware allows in any case."""
MAX_AGE_S = 600
