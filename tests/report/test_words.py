"""Arms, pairs and verdicts in words."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from harness import units
from harness.judge.verdicts import Caveat
from harness.record import Run
from harness.report import words
from harness.report.figures import Study
from harness.report.words import values
from harness.report.words.causes import LATE, SLOW
from harness.units import THIN
from tests.report import report_support as support
from tests.report.report_pairs import Fake, FakePair, quick_pairs


@cache
def study_of(*pairs: FakePair, blocks: int = 5) -> Study:
    """A run of these pairs, compared."""
    run: Run = support.run(list(pairs), blocks=blocks)
    return support.study_of(run)


QUICK = tuple(quick_pairs())
SAME = replace(QUICK[0], b=replace(QUICK[0].a, target="fastapi", server="uvicorn", noise=0.001))


def sides(a_rps: float, b_rps: float, **changes: object) -> FakePair:
    """A pair of json with so many requests a second."""
    a = Fake(rps=a_rps, noise=0.002)
    b = Fake(rps=b_rps, target="fastapi", server="uvicorn", threads=1, noise=0.002)
    return replace(FakePair(scenario="json", a=a, b=b), **changes)  # type: ignore[arg-type]


def turned(study: Study, pair: str) -> str:
    """The ratio of a pair that side a wins, the other way round."""
    value = study.pair(pair)
    assert value is not None
    assert value.value is not None
    assert value.low is not None
    assert value.high is not None
    return units.ratio(1 / value.value, 1 / value.high, 1 / value.low)


def test_a_sentence_names_the_winner_first_and_what_stopped_each_side() -> None:
    """The form that a report opens with: a ratio above 1, its interval, the cause."""
    study = study_of(*QUICK)
    value = study.pair("p3")
    assert words.sentence(study, "p3") == (
        "external-data, pooled, 1 worker, 32 connections: fastapi on uvicorn serves "
        f"{words.text(value)} times ({words.ends(value)}) what flask on gunicorn-gthread does: "
        "flask is bound by its 8 worker slots, while fastapi uses up its server core."
    )


def test_a_ratio_below_one_is_turned_round_with_its_interval() -> None:
    """Nobody thinks that a side serves 0.12 times what the other does."""
    study = study_of(sides(2000, 250))
    point, _, ends = turned(study, "p1").partition(" ")
    assert words.clause(study, "p1") == (
        f"flask on gunicorn-gthread serves {point} times {ends} what fastapi on uvicorn does: "
        "each uses up its server core."
    )
    assert float(point) > 7.5


def test_what_is_wrong_with_the_slower_side_is_the_cause() -> None:
    """A diagnosis says more than a limit; one of the winner explains nothing."""
    study = study_of(replace(QUICK[1], a=replace(QUICK[1].a, limit="worker-slots")))
    caveats = tuple(
        Caveat(kind=kind, text="at length", pair="p1", arm=arm)
        for kind, arm in (("no-keep-alive", "p1a"), ("few-connections", "p1b"), ("client-per-request", "p1b"))
    )
    diagnosed = Study(study.run, replace(study.comparison, caveats=caveats))
    assert words.clause(diagnosed, "p1").endswith(
        "does: fastapi builds an HTTP client for each request and uses up its server core, "
        "while flask is bound by its 8 worker slots."
    )


def test_a_cause_stands_before_a_limit_that_both_sides_share() -> None:
    """The limit is said once, of each."""
    study = study_of(sides(2000, 1000))
    caveat = Caveat(kind="uneven-workers", text="at length", pair="p1", arm="p1b")
    diagnosed = Study(study.run, replace(study.comparison, caveats=(caveat,)))
    assert words.clause(diagnosed, "p1").endswith(
        "does: fastapi shares the load out unevenly among its workers; each uses up its server core."
    )


def test_every_diagnosis_has_its_words(checkout: Path) -> None:
    """As the cause of a throughput or of a latency; a load that is too small is said by the limit."""
    sources = (checkout / "harness" / "judge" / "limits").glob("*.py")
    kinds = {kind for path in sources for kind in re.findall(r'kind="([\w-]+)"', path.read_text(encoding="utf-8"))}
    assert len(kinds) > 8
    assert kinds - {"few-connections"} == {*SLOW, *LATE}


def test_slots_are_workers_times_threads() -> None:
    """What a blocking server can hold at once."""
    pair = replace(QUICK[3], a=replace(QUICK[3].a, limit="worker-slots"))
    assert "flask is bound by its 32 worker slots" in words.sentence(study_of(pair), "p1")


def test_equal_bounds_are_said_once() -> None:
    """Of both sides."""
    assert words.sentence(study_of(*QUICK), "p1").endswith(": each uses up its server core.")


def test_sides_that_are_called_the_same_are_told_apart_by_what_differs() -> None:
    """A pair of two clients: without them, "fastapi on uvicorn serves more than fastapi on uvicorn"."""
    slow = Fake(rps=1000, target="fastapi", server="uvicorn", client="httpx", noise=0.002)
    pair = FakePair(scenario="external-data", a=slow, b=replace(slow, rps=4000, client="aiohttp", limit="connections"))
    clause = words.clause(study_of(pair), "p1")
    assert clause.startswith("fastapi on uvicorn (aiohttp) serves ")
    assert " what fastapi on uvicorn (httpx) does: fastapi on uvicorn (httpx) uses up its server core, " in clause
    alike = replace(pair, b=replace(slow, limit="connections"), null=True)
    assert "(httpx)" not in words.clause(study_of(alike), "p1")


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        (sides(1000, 2000), "fastapi on uvicorn serves"),
        (sides(2000, 1000), "flask on gunicorn-gthread serves"),
        (sides(1000, 1001), f"serves the same as fastapi on uvicorn within 5{THIN}%"),
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
    sooner = " At equal rates flask on gunicorn-gthread answers sooner: the p99 of fastapi on uvicorn is "
    study = study_of(replace(equal, b=replace(equal.b, response_ms=slow)))
    assert sooner in words.clause(study, "p1")
    assert " answers sooner" not in words.clause(study_of(replace(faster, b=replace(faster.b, response_ms=slow))), "p1")
    caveat = Caveat(kind="stalls", text="at length", pair="p1", arm="p1b")
    diagnosed = Study(study.run, replace(study.comparison, caveats=(caveat,)))
    assert words.clause(diagnosed, "p1").endswith(" as long, for fastapi stands still now and then.")


def test_what_is_undecided_says_what_would_settle_it() -> None:
    """Blocks, and how long they take."""
    pair = sides(1000, 1025)
    noisy = replace(pair, a=replace(pair.a, noise=0.04), b=replace(pair.b, noise=0.04))
    clause = words.clause(study_of(noisy), "p1")
    assert "cannot be told apart" in clause
    assert "would settle it" in clause


def test_too_few_valid_blocks_say_so_and_why() -> None:
    """The ratio may lie far from 1: it is not that the sides cannot be told apart."""
    study = study_of(sides(1000, 2000))
    why = "only 2 of 5 blocks were valid: other processes used 12 % of the CPUs; about 1 more valid block (20 s)"
    pairs = tuple(
        replace(verdict, verdict="inconclusive", blocks=2, settle=why) if verdict.primary else verdict
        for verdict in study.comparison.pairs
    )
    clause = words.clause(Study(study.run, replace(study.comparison, pairs=pairs)), "p1")
    assert clause.startswith("fastapi on uvicorn served ")
    assert f"did, in 2 blocks, too few for a verdict: {why} would settle it" in clause


def test_few_blocks_carry_no_verdict() -> None:
    """One has no interval either."""
    assert "in 2 blocks, too few for a verdict: " in words.clause(study_of(QUICK[0], blocks=2), "p1")
    assert "in a single block, so without an interval" in words.clause(study_of(QUICK[0], blocks=1), "p1")


def test_no_result_says_why_with_the_arm_by_its_name() -> None:
    """Not by its id."""
    pair = replace(QUICK[0], b=replace(QUICK[0].b, error="no such server: pip install uvicorn"))
    clause = words.clause(study_of(pair), "p1")
    assert clause == (
        "no result for fastapi on uvicorn against flask on gunicorn-gthread. "
        "fastapi on uvicorn: no such server: pip install uvicorn"
    )


def test_of_an_error_its_sentence_is_shown_and_once() -> None:
    """The lines of the log that follow it stay in the records; blocks that differ in figures have one reason."""
    log = "uvicorn: ended with exit code 3: no module named shop; its log: logs/p1b.log\nTraceback ...\n  File x"
    study = study_of(replace(QUICK[0], b=replace(QUICK[0].b, error=log)))
    assert words.clause(study, "p1").endswith(
        "fastapi on uvicorn: uvicorn: ended with exit code 3: no module named shop; its log: logs/p1b.log"
    )
    old = "uvicorn ended with exit code 1; its last lines:\nTraceback\n  File x\nModuleNotFoundError: no shop\n"
    assert words.first_line(old) == "uvicorn ended with exit code 1; its last lines: ModuleNotFoundError: no shop"
    assert words.alike(["steal of 3.1 % in round 2", "late", "steal of 12 % in round 11"]) == (
        "steal of 3.1 % in round 2",
        "late",
    )


def test_a_pair_at_a_given_rate_is_told_by_its_latency() -> None:
    """The highest percentile that the samples resolve."""
    pair = sides(1000, 2000, rate_rps=600.0)
    clause = words.clause(study_of(pair), "p1")
    assert clause.startswith("the p99 of fastapi on uvicorn and flask on gunicorn-gthread cannot be told apart, ")
    late = words.clause(study_of(replace(pair, b=replace(pair.b, response_ms=3 * pair.a.response_ms))), "p1")
    assert late.startswith("flask on gunicorn-gthread answers sooner: the p99 of fastapi on uvicorn is ")


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
    """As long as every pair compares the same two; then the servers that won are counted."""
    both = sides(1000, 2000)
    other = replace(both, b=replace(both.b, server="uvicorn-h11"))
    assert words.headline(study_of(both, other)) == "ASGI serves more in 2 of 2"
    alike = replace(other, a=other.b, b=replace(both.b, rps=4000.0))
    assert words.headline(study_of(both, alike)) == "uvicorn serves more in 2 of 2 pairs"


FLASK = words.Contender(target="flask", server="gunicorn", interface="wsgi", own=("8 threads",))
FASTAPI = words.Contender(target="fastapi", server="uvicorn", interface="asgi")


def outcomes(*verdicts: str, a: words.Contender = FLASK, b: words.Contender = FASTAPI) -> list[words.Outcome]:
    """Pairs of the same two sides with these verdicts."""
    return [words.Outcome(a=a, b=b, verdict=verdict) for verdict in verdicts]


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        (
            outcomes("better", "better", "worse", "inconclusive"),
            "fastapi on uvicorn serves more in 2 of 4, flask on gunicorn in 1, undecided in 1",
        ),
        (outcomes("worse", "equivalent"), "flask on gunicorn serves more in 1 of 2, equal in 1"),
        (outcomes("equivalent"), "fastapi on uvicorn and flask on gunicorn: equal in 1"),
        (outcomes("error", "invalid", "not resolved"), "fastapi on uvicorn and flask on gunicorn: no result in 3"),
        ([], "No pair was compared"),
    ],
)
def test_a_tally_counts_who_serves_more(results: list[words.Outcome], sentence: str) -> None:
    """The headline of a run whose pairs all have the same two sides."""
    assert words.count(results) == sentence


GRANIAN = replace(FASTAPI, server="granian")
UWSGI = replace(FLASK, server="uwsgi")


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        (
            [*outcomes("better"), *outcomes("worse", a=UWSGI, b=GRANIAN)],
            "ASGI serves more in 1 of 2, WSGI in 1",
        ),
        (
            [*outcomes("better", a=FASTAPI, b=GRANIAN), *outcomes("better", a=replace(FASTAPI, target="x"), b=GRANIAN)],
            "granian serves more in 2 of 2",
        ),
        (
            [*outcomes("better", "worse"), *outcomes("better", a=GRANIAN, b=UWSGI)],
            "WSGI serves more in 2 of 3 pairs, ASGI in 1",
        ),
        (
            [*outcomes("better", "equivalent", a=FLASK, b=UWSGI), *outcomes("worse", a=FASTAPI, b=GRANIAN)],
            "uwsgi serves more in 1 of 3 pairs, uvicorn in 1, equal in 1",
        ),
        (
            [*outcomes("better", a=FLASK, b=replace(FLASK, own=("16 threads",))), *outcomes("worse", b=GRANIAN)],
            "flask on gunicorn (16 threads) serves more in 1 of 2 pairs, flask on gunicorn in 1",
        ),
    ],
)
def test_a_tally_names_sides_that_differ_from_pair_to_pair(results: list[words.Outcome], sentence: str) -> None:
    """By interface, target or server where all pairs compare the same two; else it counts what the winners are called.

    Never by a letter, which no reader of a headline knows.
    """
    assert words.count(results) == sentence


def test_of_winners_that_all_have_long_names_a_tally_counts_how_many_there_are() -> None:
    """Four such names say less than their number."""
    mixed = [
        pair
        for threads in ("16", "32", "64", "128")
        for pair in outcomes("better", b=replace(FLASK, own=(f"{threads} threads",)))
    ]
    assert words.count([*mixed, *outcomes("worse", b=GRANIAN)]) == "one side serves more in 5 of 5 pairs"


def test_a_tally_leaves_equals_aside() -> None:
    """They check the instrument; of them alone it says whether any were told apart."""
    equals = words.Outcome(a=FLASK, b=FLASK, verdict="equivalent", null=True)
    assert words.count([*outcomes("better"), equals]) == "fastapi on uvicorn serves more in 1 of 1"
    assert words.count([equals, equals]) == "None of 2 A/A pairs called better or worse"


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


def test_a_whole_number_of_requests_has_no_decimals() -> None:
    """A mean of counts has them."""
    written = values.form("held", "requests")
    assert [written(each) for each in (8.0, 8.5, 0.0, 1200.0, None)] == ["8", "8.50", "0", "1,200", units.MISSING]
