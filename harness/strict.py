"""Frozen dataclasses that JSON is parsed into strictly."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid")
"""For `__pydantic_config__` of a dataclass: a key that is no field of it is an error."""

_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """The adapter that parses and writes `kind`; made only once, because that takes milliseconds."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
