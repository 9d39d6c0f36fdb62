"""What becomes of each arrival is kept, and an open slice ends when it is calm."""

from __future__ import annotations

import numpy as np
import pytest

from harness.spec.calm import Calm
from harness.spec.fates import KINDS, Fates
from loadtests.engine.fates import Keeper
from tests.loadtests.engine_support import null_server, run_rounds
from tests.loadtests.test_open import arm, spec_of

MS = 1_000_000


def moments(*milliseconds: int) -> np.ndarray:
    """In nanoseconds."""
    return np.array(milliseconds, dtype=np.int64) * MS


def test_only_what_was_due_in_the_window_is_told_in_the_order_in_which_it_was_due() -> None:
    """Whatever the order of the answers; times count from the window."""
    keeper = Keeper()
    keeper.good(moments(90, 130, 110), moments(95, 131, 170))
    keeper.lost("timeout", 120 * MS, 220 * MS)
    seen = keeper.fates(100 * MS, 140 * MS)
    assert seen.due_us.tolist() == [10_000, 20_000, 30_000]
    assert seen.took_us.tolist() == [60_000, 100_000, 1_000]
    assert [KINDS[kind] for kind in seen.kind] == ["good", "timeout", "good"]


def test_without_any_arrival_there_are_no_fates() -> None:
    """And no error."""
    assert len(Keeper().fates(0, 1).due_us) == 0


@pytest.mark.parametrize(("share", "calm"), [(0.0, False), (0.2, False), (0.25, True)])
def test_calm_counts_what_is_late_lost_or_not_answered_yet(share: float, calm: bool) -> None:  # noqa: FBT001 - a case
    """Of eight arrivals one is late and one is not answered: a quarter."""
    keeper = Keeper()
    keeper.due(moments(*range(0, 80, 10)))
    keeper.good(moments(*range(0, 70, 10)), moments(*range(1, 51, 10), 150, 61))
    assert keeper.calm(0, 80 * MS, 20 * MS, share) is calm


@pytest.mark.live
def test_an_open_slice_ends_when_it_is_calm_and_every_arrival_is_there() -> None:
    """The fates are as many as were scheduled; the window is shorter than what was allowed."""
    calm = Calm(after_s=0.3, limit_us=5_000_000, share=0.5, for_s=0.0)
    with null_server("null") as server:
        (slice_,) = run_rounds(spec_of(arm(server, rate_rps=400), slice_s=60.0, fates=True, calm=calm)).slices
    assert slice_.fates is not None
    seen = Fates.decode(slice_.fates)
    assert len(seen.due_us) == slice_.scheduled == slice_.requests
    assert 0.3 <= slice_.length_s < 60
    assert seen.due_us.max() < slice_.length_s * 1_000_000
