"""What episodes show: the search for a break, the break over blocks, what ran out, and what may not be used."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RecordError
from harness.judge.compare import within
from harness.judge.episodes import (
    break_of,
    breaks,
    computed_s,
    contrasts,
    dip,
    for_nobody,
    impossible,
    losses,
    next_strength,
    poisson,
    ran_out,
    reasons,
)
from harness.record import Deployed, Timeline
from harness.suite import Arm, Deploy, Held, Overload, Pair, Thresholds
from tests import factories
from tests.episode_support import HELD, episode, group, part, searched, timeline

GTHREAD = factories.flask_arm("p1a")
UVICORN = factories.arm("p1b")
POOL = factories.arm("p1b", target=factories.target(name="fastapi-threadpool", handler="threadpool"))
BLOCKING = factories.arm("p1b", target=factories.target(name="fastapi-blocking", handler="blocking"))
SYNC = factories.arm("p1a", target=factories.FLASK, server=factories.SYNC)


def search(disturbance: Held, truth: int | None) -> dict[int, bool | None]:
    """All that is tried on an arm that breaks from `truth` on."""
    known: dict[int, bool | None] = {}
    while (strength := next_strength(disturbance, known)) is not None:
        assert strength not in known
        known[strength] = truth is not None and strength >= truth
    return known


@given(st.integers(1, 16), st.sets(st.integers(0, 40), min_size=1, max_size=6))
def test_a_break_among_the_stated_strengths_is_found_to_the_one(truth: int, further: set[int]) -> None:
    """Whatever else is stated, and nothing is tried twice."""
    known = search(Held(request="r", count=tuple({0, 16} | further)), truth)
    assert known[truth] is True
    assert known[truth - 1] is False


def test_stronger_ones_are_spared_once_two_in_a_row_have_broken_the_victim() -> None:
    """One alone may have done it by chance."""
    assert sorted(search(HELD, 1)) == [0, 1, 2]
    assert sorted(search(HELD, None)) == [0, 1, 2, 4, 8, 16]


def test_a_break_by_chance_does_not_end_the_search() -> None:
    """The next stated one is borne: the break lies above it."""
    known: dict[int, bool | None] = {0: False, 1: True, 2: False, 4: False, 8: True, 16: True}
    assert next_strength(HELD, known) == 6
    assert next_strength(HELD, {0: False, 1: True}) == 2


def test_where_nothing_is_borne_nothing_is_searched() -> None:
    """Not even without the disturbance: that is no break that it makes."""
    assert next_strength(HELD, {0: True, 1: True}) is None


def test_an_episode_that_says_nothing_is_neither_borne_nor_broken() -> None:
    """The search goes on beside it."""
    assert next_strength(Held(request="r", count=(0, 4)), {0: False, 4: True, 2: None}) == 1


def test_the_break_over_blocks_is_their_median_from_the_lowest_to_the_highest() -> None:
    """Its confidence follows from the number of blocks."""
    blocks = [searched(GTHREAD, broken, block, (0, 4, 6, 7, 8, 9)) for block, broken in enumerate((7, 8, 8))]
    found = break_of("p1a", [each for block in blocks for each in block])
    assert found is not None
    assert (found.at, found.low, found.high, found.most) == (8, 7, 8, 9)
    assert found.confidence == pytest.approx(0.75)


def test_an_arm_that_never_breaks_has_no_break_and_says_up_to_what() -> None:
    """An arm that does so in some blocks has no upper end."""
    found = breaks(searched(UVICORN, None) + searched(UVICORN, None, 1))["p1b"]
    assert (found.at, found.low, found.high, found.most) == (None, None, None, 16)
    at_times = break_of("p1b", searched(UVICORN, 16) + searched(UVICORN, 16, 1) + searched(UVICORN, None, 2))
    assert at_times is not None
    assert (at_times.at, at_times.low, at_times.high) == (16, 9, None)


def test_a_gap_in_the_search_widens_the_interval() -> None:
    """Between 4, which is borne, and 8, which breaks it, nothing is known."""
    found = break_of("p1a", searched(GTHREAD, 8, 0, (0, 4, 8)))
    assert found is not None
    assert (found.low, found.high) == (5, 8)


def test_invalid_and_failed_episodes_show_no_break() -> None:
    """A noisy neighbour on the machine is no neighbour of the server."""
    invalid = [episode(GTHREAD, 1, late=100, valid=False)]
    failed = [episode(GTHREAD, 1, valid=False, error="died", before=None, during=None, after=None)]
    assert break_of("p1a", invalid + failed) is None
    assert break_of("p1a", []) is None


@pytest.mark.parametrize(
    ("arm", "broken_from", "name"),
    [
        (GTHREAD, 8, "threads"),
        (GTHREAD, 3, "capacity"),
        (POOL, 40, "anyio"),
        (BLOCKING, 1, "event-loop"),
        (SYNC, 1, "workers"),
        (UVICORN, 9, "capacity"),
        (GTHREAD, 12, None),
    ],
)
def test_what_ran_out_has_a_name_where_the_break_lies_at_its_number(
    arm: Arm, broken_from: int, name: str | None
) -> None:
    """Below it the slots that were left were too few for the rate; above it the record does not say."""
    tried = (0, broken_from - 1, broken_from, broken_from + 1)
    found = break_of(arm.id, searched(arm, broken_from, 0, tried))
    assert found is not None
    assert ran_out(arm, found) == name


def computing(each_s: float | None, answers: int = 3) -> list[Any]:
    """One request at a time, each of which takes 0.2 s, breaks the victim; the server computes for so long of each."""
    quiet = episode(UVICORN, 0, cores_during=0.05)
    cores = None if each_s is None else 0.05 + each_s * answers / 2.0
    line = replace(timeline(1, late=True), held=(0,) * 20 + (1, 1) * answers + (0,) * (40 - 2 * answers))
    disturbed = episode(UVICORN, 1, late=100, cores_during=cores, held_answers=answers, timeline=line)
    return [quiet, disturbed, episode(UVICORN, 2, late=100)]


@pytest.mark.parametrize(
    ("each_s", "answers", "name"),
    [
        (0.2, 3, "interpreter"),
        (0.12, 3, "interpreter"),
        (0.03, 3, "event-loop"),
        (0.0, 3, "event-loop"),
        (None, 3, "event-loop"),
        (0.2, 0, "event-loop"),
    ],
)
def test_the_interpreter_ran_out_where_each_request_beside_the_victim_computes(
    each_s: float | None, answers: int, name: str
) -> None:
    """For a good part of the time that it is under way, against a block without one; what is not seen is not said."""
    found = break_of(BLOCKING.id, computing(each_s, answers))
    assert found is not None
    assert ran_out(BLOCKING, found) == name
    assert (found.computed_s == pytest.approx(each_s)) if name == "interpreter" else found.computed_s is None


def test_a_request_that_computes_to_the_end_and_beyond_is_seen_too() -> None:
    """None was answered: what it has used so far is the least that it takes."""
    quiet, disturbed, _ = computing(0.2)
    line = replace(timeline(1, late=True), held=(0,) * 20 + (1,) * 30 + (0,) * 10)
    busy = replace(disturbed, held_answers=0, timeline=line, cores_during=0.65)
    assert computed_s(quiet, busy) == pytest.approx(1.2)
    assert computed_s(quiet, replace(busy, cores_during=0.06)) is None


@pytest.mark.parametrize(
    ("broken_from", "queued", "overflows", "name"),
    [
        (3, 5, 7, "accept-queue"),
        (3, 0, 7, "capacity"),
        (3, 5, 0, "capacity"),
        (8, 5, 7, "threads"),
    ],
)
def test_the_accept_queue_ran_out_where_it_was_seen_to_be_full(
    broken_from: int, queued: int, overflows: int, name: str
) -> None:
    """The kernel counts those of all servers, and slots that are all taken are why a queue fills."""
    rows = [
        replace(each, accept_queue_most=queued, accept_overflows=overflows)
        for each in searched(GTHREAD, broken_from, strengths=(0, broken_from - 1, broken_from))
    ]
    found = break_of(GTHREAD.id, rows)
    assert found is not None
    assert ran_out(GTHREAD, found) == name
    assert found.turned_away == (overflows if queued else 0)


def test_what_never_broke_ran_out_of_nothing() -> None:
    """However many were held."""
    found = break_of("p1b", searched(UVICORN, None))
    assert found is not None
    assert ran_out(UVICORN, found) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"generator": factories.generator(valid=False, reasons=("generator used 99 %",))}, "generator used 99 %"),
        ({"steal_fraction": 0.2}, "hypervisor"),
        ({"outside_fraction": 0.5}, "other processes"),
        ({"before": part(late=50)}, "before the disturbance were late or lost"),
        ({"before": part(arrivals=0)}, "no request was due before"),
        ({"held_least": None, "held_wrong": {"status 404": 7}}, r"answered wrongly \(7 times status 404\)"),
        ({"held_least": 3, "held_wrong": {"status 404": 7}}, r"only 3 of 4 requests were held \(7 times status 404\)"),
        ({"upstream_hits": 99, "attempts": 300, "good": 290, "reconnects": 1}, "upstream counted 99"),
        ({"upstream_hits": 302, "attempts": 300, "good": 290, "reconnects": 1}, "upstream counted 302"),
    ],
)
def test_each_rule_has_its_reason(changes: dict[str, Any], said: str) -> None:
    """And the episode without that change is fit for use."""
    whole = {"upstream_hits": 301, "attempts": 300, "good": 290, "reconnects": 1}
    assert reasons(episode(GTHREAD, 4, late=100, **whole), Thresholds()) == ()
    (reason,) = reasons(episode(GTHREAD, 4, late=100, **whole | changes), Thresholds())
    assert re.search(said, reason)


def test_lost_and_late_requests_are_no_reason() -> None:
    """They are what is measured."""
    lost = part(arrivals=100, late=10, reset=60)
    assert reasons(episode(GTHREAD, 4, during=lost), Thresholds()) == ()
    assert lost.late_share == pytest.approx(0.7)


PAIR = Pair(id="p1", a="p1a", b="p1b")


def test_arms_are_compared_where_both_have_a_valid_episode_in_a_block() -> None:
    """Goodput and percentiles by their ratio, late shares by their difference; a single block has no interval."""
    episodes = [
        *(episode(GTHREAD, 4, block=block, during=part(late=50, p99_us=8000.0)) for block in (0, 1, 2)),
        *(episode(UVICORN, 4, block=block, during=part(p99_us=4000.0)) for block in (0, 1)),
        episode(UVICORN, 4, block=2, valid=False),
        episode(GTHREAD, 8),
        episode(UVICORN, 8),
        episode(GTHREAD, 9),
    ]
    found = {(each.strength, each.metric): each for each in contrasts([PAIR], episodes)}
    assert {strength for strength, _ in found} == {4, 8}
    assert found[4, "goodput_rps"].value == pytest.approx(2)
    assert found[4, "latency_p99_us"].value == pytest.approx(0.5)
    late = found[4, "late_share"]
    assert late.value == pytest.approx(-0.5)
    assert late.blocks == 2
    assert late.p is not None
    assert found[8, "late_share"].low is None
    assert found[8, "late_share"].p is None


def test_one_late_request_in_each_block_is_no_difference() -> None:
    """The blocks do not scatter, but a count of three does."""
    episodes = [
        *(episode(GTHREAD, 4, block=block) for block in (0, 1, 2)),
        *(episode(UVICORN, 4, block=block, during=part(late=1)) for block in (0, 1, 2)),
    ]
    (late,) = (each for each in contrasts([PAIR], episodes) if each.metric == "late_share")
    assert late.value == pytest.approx(0.01)
    assert late.low is not None
    assert late.high is not None
    assert late.low < 0 < late.high
    assert late.p is not None
    assert late.p > 0.05


def test_equal_arms_do_not_differ() -> None:
    """Exactly: a ratio of 1, a difference of 0, a p of 1."""
    episodes = [episode(arm, 4, block=block) for arm in (GTHREAD, UVICORN) for block in (0, 1, 2)]
    for each in contrasts([PAIR], episodes):
        assert each.value == (0 if each.metric == "late_share" else 1)
        assert each.p == 1


def test_where_nothing_came_in_time_goodput_has_no_ratio() -> None:
    """The late share says it all."""
    episodes = [episode(GTHREAD, 4, late=100), episode(UVICORN, 4)]
    assert "goodput_rps" not in {each.metric for each in contrasts([PAIR], episodes)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"group": "g9"}, "arm p1a of group g9 is not in the plan"),
        ({"arm": "p7a"}, "arm p7a of group g1 is not in the plan"),
        ({"disturbance": Held(request="report", count=(3,))}, "another disturbance"),
        ({"error": "died"}, "has an error"),
        ({"reasons": ("late",)}, "has reasons why not"),
        ({"timeline": None}, "has no figures"),
        ({"after": replace(part(), in_time=7)}, "after: in time, late and lost are not the 100 arrivals"),
    ],
)
def test_an_episode_that_contradicts_itself_or_its_plan_is_refused(changes: dict[str, Any], said: str) -> None:
    """By name, before a report is made of it."""
    planned = factories.plan(group())
    assert impossible(episode(GTHREAD, 4), planned) == ()
    changed = replace(episode(GTHREAD, 4), **changes)
    (what,) = impossible(changed, planned)
    assert said in what
    with pytest.raises(RecordError, match="episode"):
        within(replace(factories.run(planned), episodes=(changed,)))


RELOAD = Deploy(how="reload", times=3, before_s=2.0)


def reloaded(number: int, **changes: Any) -> Any:
    """A deploy that was measured."""
    given: dict[str, Any] = {
        "disturbance": RELOAD,
        "deployed": Deployed(renewed=True, workers=2, new_from_s=0.8, old_until_s=1.1),
        "held_least": None,
        "begun_most": None,
    }
    return episode(GTHREAD, number, **given | changes)


def test_each_stated_deploy_and_overload_is_done_whatever_became_of_the_last() -> None:
    """Only where the break is searched does one that broke the victim spare a stronger one."""
    assert next_strength(RELOAD, {}) == 1
    assert next_strength(RELOAD, {1: True, 2: True}) == 3
    assert next_strength(RELOAD, {1: True, 2: True, 3: True}) is None
    overload = Overload(times=(2, 0.7, 1.3, 1))
    assert next_strength(overload, {70: True, 100: True}) == 130
    assert next_strength(overload, dict.fromkeys((70, 100, 130, 200), True)) is None


def test_lost_requests_are_counts_with_the_exact_interval() -> None:
    """As tables of the Poisson distribution have it: 0 has 3.69 above it, 5 lie in 1.62 to 11.67."""
    assert poisson(0) == pytest.approx((0, 3.689), abs=1e-3)
    assert poisson(5) == pytest.approx((1.6235, 11.6683), abs=1e-3)
    rows = [reloaded(1, during=part(reset=3)), reloaded(2, after=part(timeout=2)), reloaded(3, valid=False)]
    found = losses("p1a", rows)
    assert found is not None
    assert (found.deploys, found.lost, found.each, found.kinds) == (2, 5, 2.5, {"reset": 3, "timeout": 2})
    assert (found.low, found.high) == pytest.approx((0.8117, 5.8342), abs=1e-3)
    assert losses("p1b", rows) is None


def test_a_dip_is_as_deep_as_its_worst_tick_and_as_long_as_from_the_first_to_the_last() -> None:
    """What was late before the disturbance is none of it."""
    line = Timeline(
        in_time=(*[10] * 20, 10, 5, 10, 0, *[10] * 26),
        late=(3, *[0] * 20, 5, 0, 8, *[0] * 26),
        lost=(*[0] * 23, 2, *[0] * 26),
        held=(0,) * 50,
        begun=(0,) * 50,
    )
    found = dip(reloaded(1, timeline=line))
    assert found is not None
    assert found.depth == 1.0
    assert found.length_s == pytest.approx(0.3)
    calm = dip(reloaded(1))
    assert calm is not None
    assert (calm.depth, calm.length_s) == (0.0, 0.0)


def test_work_for_nobody_is_what_was_finished_beyond_the_good_answers() -> None:
    """None where the server does not count."""
    assert for_nobody(reloaded(1, server_finished=200, good=150)) == 0.25
    assert for_nobody(reloaded(1, server_finished=150, good=150)) == 0.0
    assert for_nobody(reloaded(1)) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"server_begun": 300, "server_finished": 300, "attempts": 310, "good": 290}, None),
        (
            {"server_begun": 300, "server_finished": 301, "attempts": 310, "good": 290},
            "began 300 requests and finished 301",
        ),
        (
            {"server_begun": 320, "server_finished": 300, "attempts": 310, "good": 290},
            "290 good answers of 310 requests",
        ),
        ({"server_begun": 300, "server_finished": 280, "attempts": 310, "good": 290}, "look for a proxy that retries"),
        ({"deployed": Deployed(renewed=True, workers=0)}, "no new worker has answered"),
        ({"deployed": Deployed(renewed=False, workers=0)}, None),
        (
            {"disturbance": Deploy(how="recycle"), "deployed": Deployed(renewed=False, workers=0)},
            "no worker was recycled within the episode",
        ),
    ],
)
def test_what_the_server_counted_must_fit_and_what_was_deployed_must_answer(
    changes: dict[str, Any], said: str | None
) -> None:
    """Else the row is not believed."""
    why = reasons(reloaded(1, **changes), Thresholds())
    assert why == () if said is None else said in why[0]


def test_losses_that_come_together_have_a_wider_interval() -> None:
    """Twenty at one reload and none at the next are no twenty independent ones."""
    even = losses("p1a", [reloaded(1, during=part(reset=10)), reloaded(2, during=part(reset=10))])
    clustered = losses("p1a", [reloaded(1, during=part(reset=20)), reloaded(2)])
    assert even is not None
    assert clustered is not None
    assert even.each == clustered.each == 10
    assert (even.low, even.high) == pytest.approx(tuple(end / 2 for end in poisson(20)))
    assert clustered.low < even.low / 2
    assert clustered.high > even.high * 2
