"""Frozen dataclasses that JSON is parsed into strictly."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid")
"""As a dataclass's `__pydantic_config__`: a key that it does not know is an error."""

_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """What parses and writes `kind`; made once, because making it takes milliseconds."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
