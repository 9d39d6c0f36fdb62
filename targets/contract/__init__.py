"""What every twin honours: routes, statuses, headers, payloads, and all that their handlers do alike.

Nothing in here knows Flask or FastAPI. A twin takes a request apart in its framework's way, asks the contract for the
answer, and gives it back in its framework's way: the twins differ where the interface does.

Agreed, for good and bad input alike: the status, the JSON, and the headers of ``routes``. Left to each framework:
spacing and key order of the JSON, `HEAD`, and what else it puts in `Allow`.
"""
