"""Disturbances: what is done to a server while an open load goes on, as a suite states it.

To add a kind: a file here with its class, its line in `Disturbance`, and a file in `harness/trial/episodes/` that does
it, with its line in `KINDS` of `run.py` there.
"""

from harness.suite.disturbances.base import Episodes
from harness.suite.disturbances.held import Held

Disturbance = Held
"""Of several kinds a union, told apart by `kind`."""

__all__ = ["Disturbance", "Episodes", "Held"]
