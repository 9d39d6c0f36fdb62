"""Arms, pairs and verdicts in words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from harness.record import Run
from harness.report import words
from harness.report.figures import Study
from harness.units import THIN
from tests.report import report_support as support
from tests.report.report_support import Fake, FakePair


@cache
def study_of(*pairs: FakePair, blocks: int = 5) -> Study:
    """A run of these pairs, compared."""
    run: Run = support.run(list(pairs), blocks=blocks)
    return support.study_of(run)


QUICK = tuple(support.quick_pairs())
SAME = replace(QUICK[0], b=replace(QUICK[0].a, target="fastapi", server="uvicorn", noise=0.001))


def sides(a_rps: float, b_rps: float, **changes: object) -> FakePair:
    """A pair of json with so many requests a second."""
    a = Fake(rps=a_rps, noise=0.002)
    b = Fake(rps=b_rps, target="fastapi", server="uvicorn", threads=1, noise=0.002)
    return replace(FakePair(scenario="json", a=a, b=b), **changes)  # type: ignore[arg-type]


def test_a_sentence_names_the_pair_the_ratio_its_interval_and_what_stopped_each_side() -> None:
    """The form that a report opens with."""
    study = study_of(*QUICK)
    value = study.pair("p3")
    assert words.sentence(study, "p3") == (
        "external-data, pooled, 1 worker, 32 connections: fastapi on uvicorn serves "
        f"{words.text(value)} times ({words.ends(value)}) what flask on gunicorn-gthread does; "
        "flask is bound by its 8 worker slots, fastapi uses up its server core."
    )


def test_slots_are_workers_times_threads() -> None:
    """What a blocking server can hold at once."""
    pair = replace(QUICK[3], a=replace(QUICK[3].a, limit="worker-slots"))
    assert "flask is bound by its 32 worker slots" in words.sentence(study_of(pair), "p1")


def test_equal_bounds_are_said_once() -> None:
    """Of both sides."""
    assert words.sentence(study_of(*QUICK), "p1").endswith("; each uses up its server core.")


def test_sides_that_are_called_the_same_are_told_apart_by_what_differs() -> None:
    """A pair of two clients: without them, "fastapi on uvicorn serves more than fastapi on uvicorn"."""
    one = Fake(rps=1000, target="fastapi", server="uvicorn", client="httpx", noise=0.002)
    pair = FakePair(scenario="external-data", a=one, b=replace(one, rps=4000, client="aiohttp", limit="connections"))
    said = words.clause(study_of(pair), "p1")
    assert said.startswith("fastapi on uvicorn (aiohttp) serves ")
    assert " what fastapi on uvicorn (httpx) does; fastapi on uvicorn (httpx) uses up its server core, " in said
    alike = replace(pair, b=replace(one, limit="connections"), null=True)
    assert "(httpx)" not in words.clause(study_of(alike), "p1")


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        (sides(1000, 2000), "fastapi on uvicorn serves"),
        (sides(2000, 1000), "fastapi on uvicorn serves"),
        (sides(1000, 1001), f"serves the same as flask on gunicorn-gthread within 5{THIN}%"),
        (sides(1000, 1050), "cannot be told apart"),
    ],
)
def test_each_verdict_has_its_clause(pair: FakePair, says: str) -> None:
    """Better and worse state the ratio, equivalent the margin, inconclusive that nothing is known yet."""
    assert says in words.clause(study_of(pair), "p1")


def test_p99_is_said_where_it_alone_tells_the_sides_apart() -> None:
    """Equal throughput, not latency; where throughput decides it is left to the charts."""
    equal, faster = sides(1000, 1001), sides(1000, 2000)
    slow = 4 * equal.a.response_ms
    said = " At equal rates the p99 of fastapi on uvicorn is "
    assert said in words.clause(study_of(replace(equal, b=replace(equal.b, response_ms=slow))), "p1")
    assert said not in words.clause(study_of(replace(faster, b=replace(faster.b, response_ms=slow))), "p1")


def test_what_is_undecided_says_what_would_settle_it() -> None:
    """Blocks, and how long they take."""
    pair = sides(1000, 1025)
    noisy = replace(pair, a=replace(pair.a, noise=0.04), b=replace(pair.b, noise=0.04))
    clause = words.clause(study_of(noisy), "p1")
    assert "cannot be told apart" in clause
    assert "would settle it" in clause


def test_few_blocks_carry_no_verdict() -> None:
    """One has no interval either."""
    assert "in 3 blocks: too few for a verdict" in words.clause(study_of(QUICK[0], blocks=3), "p1")
    assert "in a single block, so without an interval" in words.clause(study_of(QUICK[0], blocks=1), "p1")


def test_no_result_says_why_with_the_arm_by_its_name() -> None:
    """Not by its id."""
    pair = replace(QUICK[0], b=replace(QUICK[0].b, error="no such server: pip install uvicorn"))
    clause = words.clause(study_of(pair), "p1")
    assert clause == (
        "no result for fastapi on uvicorn against flask on gunicorn-gthread. "
        "fastapi on uvicorn: no such server: pip install uvicorn"
    )


def test_a_pair_at_a_given_rate_is_told_by_its_latency() -> None:
    """The highest percentile that the samples resolve."""
    clause = words.clause(study_of(sides(1000, 2000, rate_rps=600.0)), "p1")
    assert clause.startswith("the p99 latency of fastapi on uvicorn is ")
    assert clause.endswith(" times that of flask on gunicorn-gthread.")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "json, 1 worker"),
        (2, "external-data, unpooled, 1 worker"),
        (4, "external-data, pooled, 4 workers"),
        (6, "cached-data, redis cache, 1 worker"),
    ],
)
def test_a_pair_is_named_by_what_matters_to_its_scenario(number: int, name: str) -> None:
    """A factor that a scenario does not have is not mentioned; connections are where they are not the scenario's."""
    pairs = tuple(replace(pair, connections=64) for pair in QUICK)
    assert words.name(study_of(*pairs), f"p{number}") == name


def test_of_a_sweep_every_number_of_connections_is_named() -> None:
    """Also the one that is the scenario's own."""
    study = study_of(sides(1000, 1100, connections=1), sides(1000, 1100, connections=64))
    assert [words.under(study, pair) for pair in study.pairs] == ["1 worker, 1 connection", "1 worker, 64 connections"]


def test_middleware_and_a_a_pairs_are_told_apart() -> None:
    """Two pairs of one scenario never have one name."""
    base = sides(1000, 1100, scenario="middleware")
    study = study_of(replace(base, b=replace(base.b, middleware="pure")), replace(base, a=base.b, null=True))
    assert [words.under(study, pair) for pair in study.pairs] == ["1 worker, pure middleware", "1 worker, A/A"]


def test_a_frozen_side_is_told_apart_and_so_are_frozen_pairs() -> None:
    """Two sides, or two pairs, that differ in gc alone never have one name."""
    base = sides(1000, 1100, scenario="external-data")
    frozen = replace(base.b, gc="freeze")
    study = study_of(replace(base, a=frozen), replace(base, a=frozen, b=frozen))
    assert [words.under(study, pair) for pair in study.pairs] == ["unpooled, 1 worker", "unpooled, 1 worker, gc freeze"]
    a, b = study.sides("p1")
    assert (words.called(study, a), words.called(study, b)) == ("fastapi on uvicorn (gc freeze)", "fastapi on uvicorn")


def test_clients_are_named_where_they_differ() -> None:
    """And nowhere else."""
    base = sides(1000, 1100, scenario="external-data")
    pairs = [replace(base, b=replace(base.b, client=client)) for client in ("httpx", "aiohttp")]
    study = study_of(*pairs, sides(1000, 1100))
    assert [words.under(study, pair).rpartition(", ")[2] for pair in study.pairs] == [
        "httpx client",
        "aiohttp client",
        "1 worker",
    ]


def test_a_run_of_equals_says_whether_any_were_told_apart() -> None:
    """What a null suite is for."""
    same = sides(1000, 1000)
    equal = replace(same, b=replace(same.a, rps=1001.0), null=True)
    apart = replace(same, b=replace(same.a, rps=1500.0), null=True)
    assert words.headline(study_of(equal, equal)) == "None of 2 A/A pairs called better or worse"
    assert words.headline(study_of(equal, apart)) == "1 of 2 A/A pairs called better or worse"


def test_where_servers_differ_the_headline_names_the_interfaces() -> None:
    """As long as every pair compares the same two."""
    both = sides(1000, 2000)
    other = replace(both, b=replace(both.b, server="uvicorn-h11"))
    assert words.headline(study_of(both, other)) == "ASGI serves more in 2 of 2"
    alike = replace(other, a=other.b, b=replace(both.b, rps=4000.0))
    assert words.headline(study_of(both, alike)) == "Side b serves more in 2 of 2"


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["better", "better", "worse", "inconclusive"], "b serves more in 2 of 4, a in 1, undecided in 1"),
        (["worse", "equivalent"], "a serves more in 1 of 2, equal in 1"),
        (["equivalent"], "Equal in 1"),
        (["error", "invalid", "not resolved"], "No result in 3"),
        ([], "No pair was compared"),
    ],
)
def test_a_tally_counts_who_serves_more(verdicts: list[str], sentence: str) -> None:
    """The headline of a run."""
    assert words.count(verdicts, ("a", "b")) == sentence


def test_sides_that_differ_are_called_by_their_letter() -> None:
    """There is no one name for them."""
    assert words.count(["better"], None) == "Side b serves more in 1 of 1"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain", "plain"),
        ("a\nb\x07\x00", "a b\ufffd\ufffd"),
        ("\u202etxet", "\ufffdtxet"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u2068\u05e9\u05dc\u05d5\u05dd\u2069"),
        ("e\u0301 \u4e2d \U0001f600", "e\u0301 \u4e2d \U0001f600"),
    ],
)
def test_a_name_is_shown_without_what_would_change_the_text_around_it(name: str, text: str) -> None:
    """Control and direction characters are replaced; right-to-left letters keep to themselves."""
    assert words.shown(name) == text


def test_a_name_that_is_cut_closes_what_it_opened() -> None:
    """An isolate that ran on would take the rest of the line with it."""
    cut = words.shorten(words.shown("\u05e9" * 60), 20)
    assert cut.startswith("\u2068")
    assert cut.endswith("\u2026\u2069")
    assert words.shorten("short", 20) == "short"
