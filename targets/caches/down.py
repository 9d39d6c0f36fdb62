"""What a cache raises when it cannot be reached."""


class CacheDownError(Exception):
    """The cache did not answer: go on without it."""
