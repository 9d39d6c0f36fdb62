"""A mix in the engine: the order, what goes over the wire, and counts by request that add up to the whole."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.spec import DrivenArm, Mix, Request, Slice, Spec, Weighted
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed, Load, Open
from loadtests.engine.mixture import LEAST_DRAWN, MOST_DRAWN, Mixture, drawn
from tests.loadtests.engine_support import null_server, run_rounds

WEIGHTS = {"read": 5, "list": 3, "create": 1, "me": 1}


def mix(**lengths: int) -> Mix:
    """Requests of these weights to a null server, whose body has 5 bytes; `lengths` are what is expected instead."""
    return Mix(
        name="shop",
        requests=tuple(
            Weighted(
                name=name,
                weight=weight,
                variants=tuple(
                    Request(path=f"/{name}/{row}", length=lengths.get(name, 5), digest_every=1) for row in range(3)
                ),
            )
            for name, weight in WEIGHTS.items()
        ),
    )


def slices(load: Load, asked: Mix, rounds: int = 1) -> tuple[Slice, ...]:
    """Slices of that load on a null server that takes 1 ms."""
    with null_server("fixed:1") as server:
        arm = DrivenArm(name="a", port=server.port, load=load, request=asked, arrivals_seed=7)
        return run_rounds(Spec(arms=(arm,), rounds=((0,),) * rounds, slice_s=0.5, warmup_s=0.1)).slices


def test_a_sequence_has_the_shares_and_all_variants() -> None:
    """The shares hold in any piece of it, to within the one deck that is cut at each end."""
    order = drawn([6, 4, 2], [3, 1, 40], "seed")
    request_of = [0] * 3 + [1] + [2] * 40
    assert len(order) >= LEAST_DRAWN
    assert set(order) == set(range(44))
    piece = Counter(request_of[number] for number in order[1234:7234])
    assert [piece[number] / 6000 for number in range(3)] == pytest.approx([1 / 2, 1 / 3, 1 / 6], abs=0.001)
    each = Counter(order)
    assert max(each[number] for number in range(3)) - min(each[number] for number in range(3)) <= 1
    assert order == drawn([6, 4, 2], [3, 1, 40], "seed")
    assert order != drawn([6, 4, 2], [3, 1, 40], "another")


def test_a_sequence_is_long_enough_for_rare_variants_and_never_endless() -> None:
    """A request of weight 1 beside one of 400 that has 30 variants; and one for which no length would do."""
    assert set(drawn([400, 1], [1, 30], "seed")) == set(range(31))
    assert MOST_DRAWN <= len(drawn([1000, 1], [1, 1000], "seed")) <= MOST_DRAWN + 1001


def test_both_arms_of_a_pair_replay_one_sequence() -> None:
    """The seed of the arm fixes the order, that of the slice where it begins."""
    made = [Mixture(mix(), "127.0.0.1", 1, "7/mix", connect_timeout_s=1, read_timeout_s=1) for _ in range(2)]
    assert made[0].order == made[1].order
    assert [exchange.data for exchange in made[0].exchanges] == [exchange.data for exchange in made[1].exchanges]
    assert made[0].request_of.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


@pytest.mark.live
@pytest.mark.parametrize("load", [Closed(connections=4), Open(connections=8, rate_rps=1000)])
def test_the_requests_add_up_to_the_whole_count_for_count(load: Load) -> None:
    """Requests, good answers and histograms; the shares are those of the weights."""
    for measured in slices(load, mix(), rounds=2):
        parts = measured.by_request
        assert [part.name for part in parts] == list(WEIGHTS)
        assert sum(part.requests for part in parts) == measured.requests > 200
        assert sum(part.good for part in parts) == pytest.approx(measured.good)
        assert measured.errors == 0
        merged = Histogram.merged(Histogram.decode(part.latency or "") for part in parts)
        assert merged.counts.tolist() == Histogram.decode(measured.latency or "").counts.tolist()
        shares = [part.requests / measured.requests for part in parts]
        assert shares == pytest.approx([0.5, 0.3, 0.1, 0.1], abs=0.02)


@pytest.mark.live
@pytest.mark.parametrize("load", [Closed(connections=4), Open(connections=8, rate_rps=1000)])
def test_a_wrong_answer_is_an_error_of_its_request_alone(load: Load) -> None:
    """Every answer is held against what that request expects."""
    (measured,) = slices(load, mix(create=6))
    parts = {part.name: part for part in measured.by_request}
    assert parts["create"].errors == parts["create"].requests == measured.errors == measured.error_kinds["body"] > 0
    assert parts["create"].good == 0
    assert parts["read"].errors == parts["list"].errors == parts["me"].errors == 0
    assert measured.requests == sum(part.requests for part in parts.values())


@pytest.mark.live
def test_a_single_request_has_nothing_by_request() -> None:
    """Its slice is what it was."""
    with null_server("fixed:1") as server:
        arm = DrivenArm(name="a", port=server.port, load=Closed(connections=2), request=Request(length=5))
        (measured,) = run_rounds(Spec(arms=(arm,), rounds=((0,),), slice_s=0.2, warmup_s=0)).slices
    assert measured.by_request == ()
    assert measured.requests > 0
