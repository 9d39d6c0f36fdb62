"""Growth of memory a request: found where it is, with its interval, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.judge.compare import within
from harness.judge.memory import FILLED, JITTER, Growth, before_growth, growth, max_requests, shared_lost
from harness.record import Trial
from harness.suite import Arm, Pod
from tests import factories

MIB = 1 << 20
LIMIT = 256 * MIB
REQUESTS = 600


def trials(
    grown: Sequence[Sequence[int | None]], arm: Arm | None = None, first: int = 30 * MIB, **changes: int
) -> list[Trial]:
    """A trial a launch; its slices have grown by so much, after a first one that has filled its pools."""
    made = []
    for block, launch in enumerate(grown):
        rows = tuple(
            replace(
                factories.slice_row(round=number, start_s=float(number), length_s=2.0, throughput_rps=300.0),
                requests=REQUESTS,
                grown_bytes=amount,
            )
            for number, amount in enumerate([first, *launch])
        )
        made.append(factories.trial(arm, block=block, slices=rows, **changes))
    return made


def leaking(size: float, launches: int, slices: int, seed: int = 1) -> list[list[int]]:
    """Slices that grow by `size` a request, in chunks of the allocator, and scatter."""
    random = np.random.default_rng(seed)
    return [
        [round(REQUESTS * size / 1e5 + random.normal(0, 3)) * 100_000 for _ in range(slices)] for _ in range(launches)
    ]


@pytest.mark.parametrize(("launches", "slices"), [(5, 3), (3, 2), (2, 4), (1, 5)])
def test_ten_kilobytes_a_request_are_found_within_a_tenth(launches: int, slices: int) -> None:
    """By launches, or by slices where there are few of these; the first slice of a launch says nothing."""
    found = growth(trials(leaking(10_000, launches, slices)))
    assert found is not None
    assert found.bytes_per_request == pytest.approx(10_000, rel=0.1)
    assert found.low < found.bytes_per_request < found.high
    assert (found.launches, found.slices) == (launches, launches * slices)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Of 400 runs of five launches."""
    found = [growth(trials(leaking(10_000, 5, 3, seed))) for seed in range(400)]
    covered = sum(each is not None and each.low <= 10_000 <= each.high for each in found)
    assert 365 <= covered <= 395


@pytest.mark.parametrize(
    "grown",
    [
        [],
        [[0, 0, 0]] * 5,
        [[None, None]] * 5,  # older records, and workers that ended
        [[20_000, 10_000, 30_000]] * 5,  # less than a hundred bytes a request
        [[MIB, -MIB, MIB], [-MIB, MIB, -MIB], [MIB, MIB, -MIB]],
        [[10 * MIB, 0, 0], [12 * MIB, 0, 0], [11 * MIB, 0, 0]],  # a pool that was full soon
        [[10 * MIB]],  # one slice alone
        # A thread a request under Django: the arenas of the allocator are full after a few thousand requests.
        [
            [2_000_000, 600_000, -500_000],
            [1_000_000, 500_000, 900_000],
            [2_400_000, 100_000, -700_000],
            [1_600_000, 800_000, 1_100_000],
            [1_500_000, 200_000, 600_000],
            [1_700_000, 30_000, -900_000],
        ],
    ],
)
def test_what_does_not_go_on_growing_is_no_growth(grown: Sequence[Sequence[int | None]]) -> None:
    """Nothing is recommended then."""
    assert growth(trials(grown)) is None


def test_the_requests_that_follow_keep_it_below_the_limit() -> None:
    """Also the last worker, with its jitter, when it grows as fast as the interval allows."""
    grows = Growth(bytes_per_request=10_000.0, low=9_500.0, high=10_500.0, launches=5, slices=15)
    for workers in (1, 4):
        count = max_requests(grows, LIMIT, 100 * MIB, workers)
        assert count is not None
        taken = 100 * MIB + workers * count * (1 + JITTER) * grows.high
        assert taken <= FILLED * LIMIT < taken + workers * (1 + JITTER) * grows.high
    assert max_requests(grows, LIMIT, LIMIT, 1) is None


def test_what_was_there_before_it_grew_is_the_peak_without_the_growth() -> None:
    """As the pod counted it; without a pod nothing is known."""
    grown = trials([[6 * MIB, 6 * MIB]], first=6 * MIB, peak_memory_bytes=100 * MIB)
    assert before_growth(grown) == 82 * MIB
    assert before_growth(trials([[6 * MIB]])) is None


@pytest.mark.parametrize(
    ("limit", "peak", "says"),
    [
        (None, None, "under --memory it is said after how many requests"),
        (LIMIT, 100 * MIB, "gunicorn: --max-requests "),
        (200 * MIB, 200 * MIB, "leaves it nothing to grow into"),
    ],
)
def test_a_run_says_which_arm_grows_and_what_keeps_it_below_its_limit(
    limit: int | None, peak: int | None, says: str
) -> None:
    """The other arm is not spoken of."""
    plan = factories.plan(blocks=3)
    a, b = plan.groups[0].arms
    inside = replace(b, cell=b.cell.within(Pod(memory=limit))) if limit else b
    group = replace(plan.groups[0], arms=(a, inside))
    counted = {"peak_memory_bytes": peak} if peak else {}
    rows = [*trials([[0, 0]] * 3, a), *trials(leaking(10_000, 3, 2), inside, first=MIB, **counted)]
    (caveat,) = within(factories.run(replace(plan, groups=(group,)), tuple(rows))).caveats
    assert (caveat.kind, caveat.arm) == ("memory-growth", "p1b")
    assert caveat.text.startswith("its memory grows with each request by 9.")
    assert says in caveat.remedy


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (34 * MIB, (30 * MIB, 29 * MIB), 5 * MIB),
        (6 * MIB, (7 * MIB,), -MIB),
        (None, (30 * MIB,), None),
        (34 * MIB, (30 * MIB, None), None),
    ],
)
def test_what_is_shared_no_more_is_told_by_the_first_and_the_last_reading(
    before: int | None, after: tuple[int | None, ...], lost: int | None
) -> None:
    """In the order of time, whatever that of the slices is; where one of the two is missing, so is the difference."""
    rows = [
        replace(factories.slice_row(round=number, start_s=float(number)), shared_bytes=size)
        for number, size in enumerate(after)
    ]
    trial = factories.trial(shared_before_bytes=before, slices=tuple(reversed(rows)))
    assert shared_lost(trial) == lost
    assert shared_lost(replace(trial, slices=())) is None
