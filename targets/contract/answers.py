"""What each route answers: the work that the twins do alike."""

import hashlib
import json
import time
from typing import Any

from targets.contract.models import Item, ItemIn, Signup

GREETING = "Hello, World!"
RECORDS = 470
PRIMES_BELOW = 1_900


def greeting() -> dict[str, str]:
    """Answer `GET /json`: the smallest answer that is still JSON."""
    return {"message": GREETING}


def _record(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"Person {number}",
        "email": f"person.{number}@example.com",
        "active": number % 3 != 0,
        "score": number * 0.25,
        "tags": ["alpha", "beta", "gamma"],
        "address": {"street": f"{number} Long Street", "city": "Springfield", "zip": f"{number:05d}"},
        "manager": None,
    }


_CATALOGUE: dict[str, Any] = {"count": RECORDS, "records": [_record(number) for number in range(1, RECORDS + 1)]}


def catalogue() -> dict[str, Any]:
    """Answer `GET /payload`: plain dicts and lists, as a database driver gives them; about 100 KB once written."""
    return _CATALOGUE


def found(item_id: int, q: str | None, limit: int) -> dict[str, Any]:
    """Answer `GET /items/{item_id}`."""
    return {"item_id": item_id, "q": q, "limit": limit}


def created(item: ItemIn) -> Item:
    """Answer `POST /items`."""
    return Item(
        id=1,
        name=item.name,
        price=item.price,
        quantity=item.quantity,
        tags=item.tags,
        total=round(item.price * item.quantity, 2),
    )


def registered(form: Signup) -> dict[str, Any]:
    """Answer `POST /form`."""
    return {"name": form.name, "email": form.email, "age": form.age, "newsletter": form.newsletter}


def primes() -> dict[str, int]:
    """Answer `GET /cpu`: count the primes below a fixed number by trial division, 1 to 2 ms of pure Python."""
    count = 0
    for candidate in range(2, PRIMES_BELOW):
        divisor = 2
        while divisor * divisor <= candidate:
            if candidate % divisor == 0:
                break
            divisor += 1
        else:
            count += 1
    return {"below": PRIMES_BELOW, "primes": count}


def waited(wait_ms: int) -> dict[str, int]:
    """Answer `GET /slow`, once the wait is over."""
    return {"waited_ms": wait_ms}


def computed(compute_ms: int) -> dict[str, int]:
    """Answer `GET /compute`: pure Python for so much CPU time of this thread, however long it waits for its turns."""
    end_s = time.thread_time() + compute_ms / 1000
    while time.thread_time() < end_s:
        primes()
    return {"computed_ms": compute_ms}


def event(number: int, events: int) -> str:
    """Event `number` of `events` of `GET /stream`, as server-sent events are written; the last one is called `end`."""
    name = "event: end\n" if number == events else ""
    return f"{name}data: {json.dumps({'event': number, 'of': events})}\n\n"


class Upload:
    """Answers `POST /upload`: takes the body piece by piece, whatever its type."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._bytes = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        self._digest.update(piece)
        self._bytes += len(piece)

    def answer(self) -> dict[str, Any]:
        """Size and digest of what was taken."""
        return {"bytes": self._bytes, "sha256": self._digest.hexdigest()}


def health() -> dict[str, str]:
    """Answer `GET /health`: for readiness, so without a dependency and never under authentication."""
    return {"status": "ok"}
