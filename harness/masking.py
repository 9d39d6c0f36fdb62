"""What others may not see: what a secret is, its mask, and text that is safe to print.

A secret is what stands under a key such as `password`, `api_key` or `Authorization`, and the password of a URL. Whoever
reads a definition or an address has this process `learn` its secrets: from then on they are masked in every error, and
so in every row and every line on the terminal, wherever a server repeats them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

MASK = "***"
SHORTEST = 6
"""Characters of a secret that is looked for in text. A shorter one would blot out ordinary words and figures."""

_WORDS = "passw(?:or)?d|passphrase|secret|token|api[-_]?key|credential|private[-_]?key|access[-_]?key"
_KEY = re.compile(f"{_WORDS}|^(?:proxy-)?authorization$|^(?:set-)?cookie$", re.IGNORECASE)
_HIDDEN = (
    re.compile(r"[a-z0-9+.-]://[^\s/?#:@]*:(?P<secret>[^\s\"'<>]+)@", re.IGNORECASE),
    re.compile(rf"(?:{_WORDS})s?=(?P<secret>[^\s&;,\"']+)", re.IGNORECASE),
    re.compile(rf"[\"'][\w-]*(?:{_WORDS})s?[\"']\s*:\s*[\"'](?P<secret>[^\"']+)", re.IGNORECASE),
)
"""Secrets in any text: the password of a URL, `token=...` as in a query, `"password": "..."` as in JSON. None
begins with as much of a word as there is: in a word of a mebibyte, such as a picture in base64, that takes a day."""
_SCHEME = re.compile(r"(?:basic|bearer|digest|token|apikey)\s+(?P<rest>\S.*)", re.IGNORECASE | re.DOTALL)
_OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066\u2067\ud800-\udfff]")
"""Control characters, what turns the direction of the text around it, and halves of characters."""
_known: set[str] = set()


def is_secret(key: str) -> bool:
    """Whether what stands under `key` is a secret: the name of a variable, a header, an option."""
    return _KEY.search(key) is not None


def mask(text: str, key: str = "") -> str:
    """`text`, which stands under `key`, as it may be recorded."""
    if text and is_secret(key):
        return MASK
    for pattern in _HIDDEN:
        text = pattern.sub(_masked, text)
    return text


def learn(text: str, key: str = "") -> None:
    """Have the secrets of `text`, which stands under `key`, masked from now on wherever they turn up."""
    secrets = [text] if is_secret(key) else [found["secret"] for pattern in _HIDDEN for found in pattern.finditer(text)]
    _known.update(form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST and form != MASK)


def known() -> tuple[str, ...]:
    """The secrets that were learnt; a longer one comes before what is a part of it."""
    return tuple(sorted(_known, key=lambda secret: (-len(secret), secret)))


def plain(text: str) -> str:
    """Text of others as it may be shown: without secrets, and without what a terminal would obey; lines stay."""
    for secret in known():
        text = text.replace(secret, MASK)
    return harmless(mask(text))


def harmless(text: str) -> str:
    """`text` with a space for each character that a terminal would obey; lines stay."""
    return _OBEYED.sub(" ", text)


def _masked(found: re.Match[str]) -> str:
    """The match with its secret masked."""
    start, end = (place - found.start() for place in found.span("secret"))
    return found[0][:start] + MASK + found[0][end:]


def _forms(secret: str) -> Iterator[str]:
    """How a server may repeat a secret: whole, decoded, a line of it, without its scheme, the values of its cookies."""
    yield from (secret, unquote(secret), *secret.splitlines())
    yield from re.findall(r"=\s*([^;\s]+)", secret)
    if after := _SCHEME.fullmatch(secret):
        yield after["rest"]
        yield from _password(after["rest"])


def _password(encoded: str) -> Iterator[str]:
    """The password of `Authorization: Basic`; nothing where that is something else."""
    try:
        _, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return
    if colon:
        yield password
