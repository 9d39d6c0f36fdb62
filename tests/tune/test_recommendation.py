"""The recommendation survives the disk, and reads as a paragraph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import GateError, NothingValidError, RecordError
from harness.judge.slo import parse
from harness.tune.blocks import BlockOutcome, Measured, Setup
from harness.tune.bracket import conclude
from harness.tune.candidates import Candidate, Service
from harness.tune.conclusion import capacity, points, shortfall
from harness.tune.explain import command, explain, shell
from harness.tune.most.verdict import AtRate, Held, Rounds
from harness.tune.recommendation import Recommendation, dump, load
from harness.tune.rows import rows
from harness.tune.search import Search
from harness.tune.state import Tuning
from harness.tune.trials import Ending, Outcome, RateTrial
from tests import factories

MIB = 1024 * 1024
SERVICE = Service(cores=1, connections=16, unloaded_s=0.051, cpu_s_per_request=0.001, slots="one")


def outcome(**rps: float | None) -> BlockOutcome:
    """A block with `w8=160.0` for eight workers; 25 MiB a worker."""
    return BlockOutcome(
        measured=tuple(
            Measured(
                candidate=Candidate(int(name[1:])),
                throughput_rps=value,
                p99_us=60_000.0,
                memory_bytes=25 * MIB * int(name[1:]),
                limit="connections" if int(name[1:]) >= 16 else "worker-slots",
                ceiling_rps=20.0 * min(16, int(name[1:])),
                error=None if value else "no answer: see its log",
            )
            for name, value in rps.items()
        ),
        took_s=10.0,
    )


def recommended(blocks: list[BlockOutcome], service: Service = SERVICE, **changes: Any) -> Recommendation:
    """The recommendation that follows from `blocks`."""
    counts = tuple(sorted({arm.candidate for block in blocks for arm in block.measured}))
    table = rows(Setup(service=service, first=(counts,)), blocks)
    given: dict[str, Any] = {
        "target": "flask",
        "server": "gunicorn-sync",
        "scenario": "external-data",
        "service": service,
        "margin": 0.05,
        "budget_s": 300.0,
        "ended": "settled",
        "candidates": table,
    }
    return Recommendation(**given | changes)


BOTH: tuple[Outcome, ...] = ("held", "exceeded")
WAITING = [outcome(w3=60.0, w8=159.0, w16=315.0, w18=316.0)] * 5


def searched(*outcomes: Outcome, ending: Ending = "settled", **changes: Any) -> dict[str, Any]:
    """Trials at one rate below the other, as fields of a recommendation."""
    search = Search(parse("p99<100ms"), 2500)
    low, high = (float(rate) for rate in search.rates[(search.rates > 2300) & (search.rates < 2500)][:2])
    given: dict[str, Any] = {"planned_s": 3.0, "took_s": 4.0, "objective": "p99 < 100 ms", "limit": "server-cpu"}
    trials = tuple(
        RateTrial(
            rate_rps=low if came == "held" else high,
            start_s=5.0 * number,
            outcome=came,
            cause="late",
            **given | changes,
        )
        for number, came in enumerate(outcomes)
    )
    bracket = capacity(search, trials, ending)
    return {"slo": "p99 < 100 ms", "capacity_rps": bracket, "searched": points(trials, conclude(search, trials))}


def test_a_recommendation_survives_the_disk():
    """tune.json holds all of it."""
    recommendation = recommended(
        WAITING, recommended=Candidate(16), ties=(Candidate(16), Candidate(18)), **searched("held", "exceeded")
    )
    assert load(dump(recommendation)) == recommendation


def test_another_format_is_refused_by_name():
    """Another format, or keys that tune does not write, are refused with the name of the file."""
    with pytest.raises(RecordError, match=r"tune\.json has format 9; this gatebench reads 1"):
        load(dump(replace(recommended(WAITING), format=9)))
    with pytest.raises(RecordError, match=r"tune\.json is not what tune writes: .*goal: Unexpected"):
        load(dump(recommended(WAITING)).replace('"target"', '"goal"', 1))


def test_candidates_stand_as_recommended_tie_behind_or_failed():
    """With throughput relative to the best, memory and the share of picks."""
    setup = Setup(service=SERVICE, first=(tuple(Candidate(count) for count in (3, 8, 16, 18, 27)),))
    table = {row.workers: row for row in rows(setup, [*WAITING, outcome(w27=None, w16=315.0)])}
    assert {workers: row.standing for workers, row in table.items()} == {
        3: "behind",
        8: "behind",
        16: "recommended",
        18: "tie",
        27: "failed",
    }
    assert table[27].throughput_rps is None
    assert table[27].why == "no answer: see its log"
    assert table[16].of_best == pytest.approx(315 / 316)
    assert table[16].share_of_picks == 1.0
    assert table[16].memory_bytes == 400 * MIB
    assert table[16].low_rps is not None
    assert table[16].high_rps is not None
    assert table[16].low_rps < 315 < table[16].high_rps


def test_the_paragraph_says_what_was_measured_and_what_bound_it():
    """Cores, connections, figures, limit, ceiling, ties, the rule of thumb, memory."""
    text = explain(recommended(WAITING))
    for part in (
        "Run flask on gunicorn-sync with 16 workers: on 1 server core and 16 connections of external-data",
        "315/s",
        "over 5 blocks",
        "Its limit is the load: all 16 connections are in hand",
        "the ceiling is 320/s, of which it reaches 98",
        "% of the best, and ties with 18 workers",
        "2 x cores + 1 = 3 workers would have given 0.190 times as much in 75.0\u202fMiB of memory instead of 400",
        "each further worker costs 25.0\u202fMiB",
    ):
        assert part in text


def test_cpu_bound_work_says_why_more_workers_bring_nothing():
    """The paragraph also says that more cores would change it."""
    block = BlockOutcome(
        measured=tuple(
            Measured(candidate=Candidate(n), throughput_rps=1000.0 - n, limit="server-cpu", memory_bytes=n * MIB)
            for n in (1, 2, 3)
        ),
        took_s=9.0,
    )
    text = explain(recommended([block] * 5, replace(SERVICE, unloaded_s=0.001, connections=64)))
    assert "with 1 worker:" in text
    assert "Its limit is the server's CPU: 1 server core is used up" in text
    assert "More workers bring nothing here: a worker runs Python on one core" in text
    assert "more cores would change that" in text


def test_an_interrupted_run_says_so_first():
    """Nobody should paste it without knowing."""
    assert explain(recommended(WAITING, interrupted=True, elapsed_s=75)).startswith(
        "Interrupted after 1\u202fmin 15\u202fs:"
    )
    assert explain(recommended(WAITING, ended="time is up")).startswith("The budget of 5\u202fmin 00\u202fs ended")


@pytest.mark.parametrize(
    ("requests", "known", "with_interval"),
    [((300,) * 5, True, True), ((1200,), True, False), ((150,) * 9, False, False), ((250,) * 3, False, False)],
)
def test_p99_is_that_of_the_mean_block(requests: tuple[int, ...], known: bool, with_interval: bool):  # noqa: FBT001 - what is expected
    """It is known where two responses of a block and ten of all were slower; the interval is over blocks."""
    candidate = Candidate(1)
    blocks = [
        BlockOutcome(
            measured=(
                Measured(candidate=candidate, throughput_rps=100.0, requests=count, p99_us=60_000.0 * (1 + n % 2)),
            ),
            took_s=1.0,
        )
        for n, count in enumerate(requests)
    ]
    (row,) = rows(Setup(service=SERVICE, first=((candidate,),)), blocks)
    assert (row.p99_us is not None) is known
    assert (row.p99_low_us is not None and row.p99_high_us is not None) is with_interval
    if with_interval:
        assert row.p99_low_us is not None
        assert row.p99_high_us is not None
        assert row.p99_us == pytest.approx(60_000 * 2**0.4)
        assert row.p99_low_us < 60_000 * 2**0.4 < row.p99_high_us


def test_nothing_valid_gives_the_reasons():
    """Never a recommendation out of nothing."""
    assert explain(recommended([outcome(w1=None)])).startswith("No candidate was validly measured")
    assert "no answer: see its log" in explain(recommended([outcome(w1=None)]))


def test_what_a_noisy_machine_spoils_twice_is_recommended_by_its_other_blocks():
    """A table with throughputs, and nothing measured, cannot both be true."""
    blocks = [outcome(w1=20.0), outcome(w1=None), outcome(w1=21.0), outcome(w1=None), outcome(w1=20.5)]
    found = recommended(blocks)
    assert [row.blocks for row in found.candidates] == [3]
    assert explain(found).startswith("Run flask on gunicorn-sync with 1 worker")


def test_what_takes_too_much_memory_was_measured_all_the_same(tmp_path: Path):
    """The sentence says why none is recommended, and not that none was measured."""
    found = recommended([outcome(w1=20.0, w2=40.0)], replace(SERVICE, memory_bytes=MIB))
    assert all(row.throughput_rps for row in found.candidates)
    assert explain(found).startswith("None of the settings that were measured can be recommended: takes more memory")
    assert isinstance(shortfall(tmp_path, Tuning(), found), GateError)
    nothing = recommended([outcome(w1=None)])
    assert isinstance(shortfall(tmp_path, Tuning(), nothing), NothingValidError)


def test_the_capacity_is_a_bracket_with_its_trials_and_what_broke():
    """The trials that held below and failed above are counted."""
    text = explain(recommended(WAITING, **searched(*BOTH * 8)))
    assert "It probably holds p99 < 100 ms up to 2," in text
    assert "8 of 8 trials held below, 8 of 8 failed above" in text
    assert "above, p99 < 100 ms breaks first (mostly late), with server-cpu as the limit" in text


def test_a_server_that_stood_still_is_said_to():
    """But not where its CPU was used up: then a queue broke the objective."""
    still: dict[str, Any] = {"stalls": 6, "stalled_s": 0.24, "lasted_s": 3.0}
    text = explain(recommended(WAITING, **searched(*BOTH * 8, limit=None, **still)))
    assert "because the server stands still 2.0 times a second for 40.0\u202fms" in text
    others: tuple[dict[str, Any], ...] = ({"limit": "server-cpu", **still}, {"limit": None, **still, "stalled_s": 0.02})
    for changes in (*others, {"limit": None}):
        assert "stands still" not in explain(recommended(WAITING, **searched(*BOTH * 8, **changes)))


def test_what_else_was_set_is_said():
    """The client and the level of gc stand beside the server."""
    text = explain(recommended(WAITING, levels=("aiohttp", "gc freeze")))
    assert text.startswith("Run flask on gunicorn-sync (aiohttp, gc freeze) with ")


def test_an_unsettled_capacity_says_so():
    """Two trials settle nothing."""
    text = explain(recommended([], **searched("held", "exceeded", ending="time is up")))
    assert "not settled in the time there was" in text
    assert text.startswith("It probably holds p99 < 100 ms up to 2,")


def test_an_objective_that_nothing_holds_is_said():
    """With the lowest rate that was tried."""
    search = Search(parse("p99<1ms"), 2500)
    lowest = float(search.rates[0])
    trials = tuple(
        RateTrial(
            rate_rps=rate,
            planned_s=8.0,
            start_s=float(at),
            took_s=1.0,
            outcome="exceeded",
            objective="p99 < 1.00 ms",
            cause="late",
        )
        for at, rate in enumerate([2250.0, 1300.0, 700.0, 300.0, lowest, lowest, lowest])
    )
    bracket = capacity(search, trials, "nothing holds")
    text = explain(recommended([], slo="p99 < 1.00 ms", capacity_rps=bracket))
    assert bracket.low is None
    assert text.startswith(
        "No load holds p99 < 1.00 ms, not even 39.1/s; above, p99 < 1.00 ms breaks first (mostly late)"
    )


def test_threads_are_named_where_there_are_any():
    """1 worker of 16 threads; 2 workers of 8 threads each."""
    block = BlockOutcome(
        measured=(
            Measured(candidate=Candidate(1, 16), throughput_rps=310.0, worker_shares=(1.0,)),
            Measured(candidate=Candidate(2, 8), throughput_rps=305.0, worker_shares=(0.9, 0.1)),
        ),
        took_s=6.0,
    )
    text = explain(recommended([block] * 5, replace(SERVICE, slots="threads"), server="gunicorn-gthread"))
    assert "with 1 worker of 16 threads:" in text
    assert "ties with 2 workers of 8 threads each" in text


def test_uneven_workers_are_mentioned():
    """It looks like poor scaling."""
    block = BlockOutcome(
        measured=(
            Measured(candidate=Candidate(1), throughput_rps=100.0),
            Measured(candidate=Candidate(2), throughput_rps=200.0, worker_shares=(0.95, 0.05)),
        ),
        took_s=6.0,
    )
    assert "the busiest answers 95\u202f%, a fair share is 50\u202f%" in explain(recommended([block] * 5))


def test_the_command_line_is_the_servers_own_with_the_recommended_counts():
    """Element by element, and quoted for a shell only where it is shown."""
    arm = factories.flask_arm(
        "t1",
        server=factories.gthread(
            argv=("{python}", "-b", "{host}:{port}", "-w{workers}", "--threads={threads}", "{app}")
        ),
    )
    argv = command(arm, Candidate(2, 8))
    assert argv == ("python", "-b", "0.0.0.0:8000", "-w2", "--threads=8", "targets.flask_app:app")
    assert shell((*argv, "a b")).endswith("targets.flask_app:app 'a b'")


def test_what_several_workers_share_of_their_memory_is_said():
    """Of one worker there is nothing to share with."""
    shared = [replace(row, shared_bytes=100 * MIB) for row in recommended(WAITING).candidates]
    text = explain(recommended(WAITING, candidates=tuple(shared))).replace("\u202f", " ")
    assert "It takes 400 MiB, of which its processes share 100 MiB under load (18.8 MiB a worker not)" in text
    assert "share" not in explain(recommended(WAITING)).partition("It takes")[2]


@pytest.mark.parametrize(
    ("outcomes", "says"),
    [
        ((True, False), "of the best: some 295/s of external-data"),
        ((True, True), "of the best: 310/s at least of external-data"),
        ((False, False), "of the best: less than 290/s, at which it did not hold yet, of external-data"),
    ],
)
def test_a_capacity_is_a_figure_only_where_it_lies_between_rates_that_were_offered(
    outcomes: tuple[bool, bool], says: str
) -> None:
    """Else it is the bound that is known."""
    rounds = tuple(
        AtRate(rate_rps=rate, held=held, p99_us=None) for rate, held in zip((290.0, 310.0), outcomes, strict=True)
    )
    shown = Held(rps=295.0, low_rps=280.0, high_rps=310.0, of_best=1.0, held=sum(outcomes), missed=2 - sum(outcomes))
    table = recommended(WAITING).candidates
    rows_ = tuple(
        replace(row, held=replace(shown, rounds=rounds)) if row.standing == "recommended" else row for row in table
    )
    told = Rounds(rounds=2, low_rps=290.0, high_rps=310.0)
    text = explain(recommended(WAITING, candidates=rows_, rounds=told, slo="p99 < 100 ms"))
    assert says in text
    assert "by 2 rounds of open load at 290/s to 310/s" in text
