"""A tuning that never happened, for the report's tests."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from harness.record import Run
from harness.tune.candidates import Candidate, Service
from harness.tune.most.verdict import AtRate, Held, Rounds
from harness.tune.rate.answer import RateAnswer, RateRow, RateStanding
from harness.tune.recommendation import CandidateRow, Capacity, RatePoint, Recommendation
from harness.tune.trials import Outcome, RateTrial
from tests.report.report_pairs import Fake, FakePair
from tests.report.report_support import run


def tuning(*, slo: bool = True) -> Recommendation:
    """What tune could have found."""
    levels = {(1, 8): 361, (2, 8): 690, (3, 8): 940, (4, 8): 985, (5, 8): 990, (8, 8): 970}
    rows = tuple(
        CandidateRow(
            workers=workers,
            threads=threads,
            standing="recommended" if workers == 4 else "tie" if workers in {5, 8} else "below",
            why=None,
            blocks=5,
            throughput_rps=float(rps),
            low_rps=rps * 0.97,
            high_rps=rps * 1.03,
            of_best=rps / 990,
            p99_us=32e6 / rps * 1.4,
            memory_bytes=(30 + 31 * workers) * 2**20,
            ceiling_rps=min(workers * threads * 50.0, 1060.0),
            limit="worker-slots" if workers < 3 else "server-cpu",
            worker_shares=tuple([1 / workers] * workers),
            share_of_picks=0.82 if workers == 4 else 0.18 if workers == 5 else 0.0,
        )
        for (workers, threads), rps in levels.items()
    )
    behind = replace(rows[0], workers=9, standing="behind", why="more than twice the margin below", blocks=1)
    tried = [(400, "held", 41), (800, "held", 62), (1200, "exceeded", 900), (950, "exceeded", 180), (880, "held", 84)]
    answer = Recommendation(
        target="flask",
        server="gunicorn-gthread",
        scenario="external-data",
        service=Service(cores=1, connections=32, unloaded_s=0.022, cpu_s_per_request=0.001, slots="threads"),
        margin=0.05,
        budget_s=300.0,
        recommended=Candidate(4, 8),
        ties=(Candidate(5, 8), Candidate(8, 8)),
        candidates=(*rows, behind),
        explanation="Run flask on gunicorn-gthread with 4 workers of 8 threads each: it is the smallest.",
        command=("python", "-m", "gunicorn", "-k", "gthread", "-w", "4", "--threads", "8", "targets.flask_app:app"),
        caveats=("one core only",),
    )
    if not slo:
        return answer
    points = tuple(
        RatePoint(
            trial=RateTrial(
                rate_rps=float(rate),
                planned_s=4.0,
                start_s=10.0 * index,
                took_s=6.0,
                outcome=outcome,
                loss_ratio=0.004 if outcome == "held" else 0.2,
                objective="p99 < 100 ms",
                cause="late",
                p99_us=p99 * 1e3,
                limit="server-cpu",
            ),
            slow_spell=0.0,
        )
        for index, (rate, outcome, p99) in enumerate(cast("list[tuple[int, Outcome, int]]", tried))
    )
    capacity = Capacity(
        low=880.0,
        high=950.0,
        trials=len(points),
        low_trials=None,
        high_trials=None,
        probability=0.9,
        settled=True,
        ending="settled",
        broke="p99 < 100 ms",
        cause="late",
        limit="server-cpu",
    )
    return replace(answer, slo="p99 < 100 ms", capacity_rps=capacity, searched=points)


def tune_run() -> Run:
    """The run of a tuning: arms without pairs."""
    whole = run([FakePair(scenario="external-data", pooling="pool", a=Fake(rps=361), b=Fake(rps=690))], suite="tune")
    groups = tuple(replace(group, pairs=()) for group in whole.info.plan.groups)
    info_ = replace(whole.info, kind="tune", plan=replace(whole.info.plan, groups=groups))
    trials = tuple(replace(trial, pair=None) for trial in whole.trials)
    return replace(whole, info=info_, trials=trials)


def held() -> Recommendation:
    """What tune could have found for a rate."""
    shown: list[tuple[int, int, RateStanding, int, int, float, float]] = [
        (1, 9, "misses", 0, 2, 455.0, 41.0),
        (1, 11, "misses", 1, 3, 560.0, 41.2),
        (1, 14, "recommended", 4, 0, 649.0, 41.5),
        (1, 22, "open", 1, 0, 650.0, 42.0),
        (2, 9, "holds", 3, 0, 650.0, 70.0),
        (3, 6, "open", 1, 0, 648.0, 98.0),
    ]
    rows = [
        RateRow(
            workers=workers,
            threads=threads,
            standing=standing,
            why=None,
            held=held,
            missed=missed,
            p99_us=62_000.0 if held > missed else 210_000.0,
            loss_ratio=0.004 if held > missed else 0.12,
            answered_rps=answered_rps,
            memory_bytes=round(mib * 2**20),
            cpu_s_per_request=0.001,
            limit="worker-slots" if standing == "misses" else None,
            cause="late" if missed else None,
            naive=workers == 3,
        )
        for workers, threads, standing, held, missed, answered_rps, mib in shown
    ]
    failed = replace(rows[0], workers=5, threads=4, standing="failed", why="did not come up", held=0, missed=0)
    rows.append(replace(failed, p99_us=None, loss_ratio=None, answered_rps=None, memory_bytes=None))
    rate = RateAnswer(
        rate_rps=500.0,
        headroom=0.3,
        offered_rps=650.0,
        connections=81,
        slice_s=3.0,
        blocks=5,
        dropped=1,
        settled=True,
        nearest=None,
        untried=("fewer than 9 slots, of which Little's law asks 14.3",),
        rows=tuple(rows),
    )
    return replace(
        tuning(slo=False),
        slo="p99 < 100 ms",
        recommended=Candidate(1, 14),
        ties=(),
        candidates=(),
        ended="settled",
        rate=rate,
        explanation="Run flask on gunicorn-gthread with 1 worker of 14 threads: it is the cheapest.",
    )


def raced() -> Recommendation:
    """What tune could have found in two rounds of open load."""
    answer = tuning()
    capacities = {3: 840.0, 4: 900.0, 5: 910.0, 8: 905.0}

    def held(workers: int) -> Held | None:
        rps = capacities.get(workers)
        if rps is None:
            return None
        rounds = (
            AtRate(rate_rps=870.0, held=rps > 870, p99_us=84e3 if rps > 870 else 190e3),
            AtRate(rate_rps=930.0, held=False, p99_us=170e3),
        )
        missed = sum(not each.held for each in rounds)
        return Held(
            rps=rps,
            low_rps=rps * 0.9,
            high_rps=rps * 1.1,
            of_best=rps / 910,
            held=2 - missed,
            missed=missed,
            rounds=rounds,
        )

    rows = tuple(replace(row, held=held(row.workers)) for row in answer.candidates)
    return replace(answer, candidates=rows, rounds=Rounds(rounds=2, low_rps=870.0, high_rps=930.0))


def launched(answer: Recommendation) -> Recommendation:
    """The same, where it was seen how each launch came up and what its processes shared."""
    known = {
        "shared_bytes": 29 * 2**20,
        "shared_lost_bytes": 5 * 2**20,
        "first_answer_s": 0.81,
        "first_answer_low_s": 0.72,
        "first_answer_high_s": 1.3,
    }
    rows = tuple(replace(row, **known) for row in answer.candidates)  # type: ignore[arg-type]  # keys go with values
    if answer.rate is None:
        return replace(answer, candidates=rows)
    offered = tuple(replace(row, **known) for row in answer.rate.rows)  # type: ignore[arg-type]  # keys go with values
    return replace(answer, candidates=rows, rate=replace(answer.rate, rows=offered))
