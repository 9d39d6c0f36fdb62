"""What became of each arrival of an open slice: when it was due, how long its answer took, or how it was lost.

From these follow the parts of an episode and its timeline: percentiles before, during and after a disturbance cannot
be had from one histogram.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GOOD = 0
KINDS = ("good", "connect", "timeout", "reset", "status", "body", "protocol", "dropped")
"""Name by number: a good answer, an error by its kind, or an arrival that was never sent."""
Numbers = NDArray[np.int64]
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Fates:
    """Three arrays of one length, in the order in which the arrivals were due."""

    due_us: Numbers
    """Microseconds since the window opened."""
    took_us: Numbers
    """From due to answered, or to the moment at which it was known to be lost."""
    kind: Numbers
    """Index into `KINDS`."""

    def encode(self) -> str:
        """The text form: the three arrays as 64-bit integers, zlib, base64."""
        whole = np.concatenate([self.due_us, self.took_us, self.kind]).astype("<i8")
        return base64.b64encode(zlib.compress(whole.tobytes())).decode()

    @staticmethod
    def decode(text: str) -> Fates:
        """From the text form; raises `ValueError` where it is none."""
        try:
            engine = zlib.decompressobj()
            whole = np.frombuffer(engine.decompress(base64.b64decode(text, validate=True), _MOST_BYTES), "<i8")
            if not engine.eof:
                raise ValueError("fates of arrivals that are cut off")
            due_us, took_us, kind = np.split(whole.astype(np.int64), 3)
        except (zlib.error, binascii.Error) as error:
            raise ValueError(f"no fates of arrivals: {error}") from error
        return Fates(due_us, took_us, kind)

    def between(self, start_us: int, end_us: int) -> Fates:
        """Those due from `start_us` on and before `end_us`."""
        return self.chosen((self.due_us >= start_us) & (self.due_us < end_us))

    def chosen(self, which: NDArray[np.bool_]) -> Fates:
        """Those that `which` says."""
        return Fates(self.due_us[which], self.took_us[which], self.kind[which])

    def good(self) -> NDArray[np.bool_]:
        """For each arrival, whether a good answer came, however late."""
        came: NDArray[np.bool_] = self.kind == GOOD
        return came

    def in_time(self, limit_us: int) -> NDArray[np.bool_]:
        """For each arrival, whether a good answer came within `limit_us`."""
        kept: NDArray[np.bool_] = self.good() & (self.took_us <= limit_us)
        return kept
