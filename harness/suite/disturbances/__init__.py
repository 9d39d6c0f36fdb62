"""Disturbances: what is done to a server while an open load goes on, as a suite states it.

To add a kind: a file here with its class, its line in `Disturbance`, and a file in `harness/trial/episodes/` that does
it, with its line in `KINDS` of `run.py` there.
"""

from dataclasses import fields
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field

from harness.suite.disturbances.base import Episodes
from harness.suite.disturbances.deploy import Deploy
from harness.suite.disturbances.held import Held
from harness.suite.disturbances.overload import Overload

Kind = Held | Deploy | Overload


def _of_a_kind(value: Any) -> Any:
    """Without a kind it is requests that are held."""
    return {"kind": "held", **value} if isinstance(value, dict) else value


Disturbance = Annotated[Kind, Field(discriminator="kind"), BeforeValidator(_of_a_kind)]
"""One of the kinds."""
KINDS = frozenset(item.default for kind in get_args(Kind) for item in fields(kind) if item.name == "kind")
"""What `kind` may say."""

__all__ = ["KINDS", "Deploy", "Disturbance", "Episodes", "Held", "Overload"]
