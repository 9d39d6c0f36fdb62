"""What was chosen beside itself at other levels of factors that are for memory."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness import record
from harness.judge.slo import parse
from harness.machine.placement import Placement
from harness.subject.services import Services
from harness.suite import Factor
from harness.trial.bench import Bench
from harness.trial.generator import Generator
from harness.trial.progress import Silent
from harness.tune.candidates import Candidate
from harness.tune.conclusion import recommend
from harness.tune.journal import Journal
from harness.tune.live import Live
from harness.tune.recommendation import dump, load
from harness.tune.state import Question
from harness.tune.subject import of_names
from harness.tune.variants import VariantRow, others, rows, told
from tests import factories
from tests.tune.tune_support import ARM, FAST, Fake, session

MIB = 1 << 20
PRELOAD = Factor(
    name="preload", levels=("none", "preload"), default="none", on="side", fills={"none": (), "preload": ("--pre",)}
)
RATE = Question(slo=parse("p99<100ms"), budget_s=480.0, rate_rps=200.0)


def test_levels_are_tried_of_factors_that_are_for_memory_where_the_server_takes_them() -> None:
    """By their definition, not by their name; and never the level that is there."""
    taking = factories.arm(server=factories.server(argv=("{python}", "{app}", "{port}", "{preload}")))
    for_memory = replace(PRELOAD, for_memory=True)
    assert list(others(taking, [PRELOAD])) == []
    assert list(others(taking, [for_memory])) == [(for_memory, "preload")]
    loaded = replace(taking, cell=taking.cell.at(preload="preload"))
    assert list(others(loaded, [for_memory])) == [(for_memory, "none")]
    assert list(others(factories.arm(), [for_memory])) == []


@pytest.mark.parametrize("question", [FAST, RATE, replace(FAST, slo=None)], ids=["most", "a rate", "usual"])
def test_what_is_recommended_is_measured_once_beside_itself(question: Question, tmp_path: Path) -> None:
    """The answer has a row of each and says what it would save; what is recommended stays what it is."""
    fake, journal = Fake(varied=True), Journal(tmp_path / "steps.jsonl")
    journal.begin(question)
    tuning = session(fake, question, journal=journal)
    plain = recommend(question, ARM, session(Fake(), question))
    answer = recommend(question, ARM, tuning)
    assert len(fake.varied_over) == 1
    assert fake.varied_over == [tuning.asked.connections if tuning.asked else None]
    assert answer.recommended == plain.recommended
    assert answer.recommended is not None
    workers = answer.recommended.workers
    assert [row.memory_bytes for row in answer.variants] == [1000 * workers, 500 * workers]
    assert "Preloaded, in one block beside it, it takes" in answer.explanation
    assert "the cheaper way to deploy it, if the app bears it." in answer.explanation
    assert plain.variants == ()
    assert "reloaded" not in plain.explanation
    assert load(dump(answer)) == answer
    _, resumed = journal.resume()
    assert resumed.variants == tuning.variants
    session(fake, replace(question, budget_s=2 * question.budget_s), tuning=resumed)
    assert len(fake.varied_over) == 1


def test_a_single_worker_has_nobody_to_share_with_and_a_short_budget_no_time() -> None:
    """Then no such block is measured, and the answer says nothing of it."""
    alone, few = Fake(varied=True), replace(RATE, slo=parse("p90<100ms"), rate_rps=10.0)
    answer = recommend(few, ARM, session(alone, few))
    assert answer.recommended == Candidate(1)
    assert answer.variants == ()
    short = Fake(varied=True)
    answer = recommend(FAST, ARM, session(short, replace(FAST, budget_s=60.0)))
    assert answer.recommended is not None
    assert answer.variants == ()
    assert alone.varied_over == short.varied_over == []


def test_what_was_measured_for_other_settings_is_not_told() -> None:
    """As after a sitting more, in which others were chosen."""
    tuning = session(Fake(varied=True))
    assert tuning.variants is not None
    tuning.variants = replace(tuning.variants, candidate=Candidate(99))
    assert recommend(FAST, ARM, tuning).variants == ()


CHOSEN = VariantRow(
    factor="",
    level="",
    words="",
    why=None,
    throughput_rps=1000.0,
    memory_bytes=140 * MIB,
    shared_bytes=6 * MIB,
    shared_lost_bytes=0,
    first_answer_s=2.5,
)
LOADED = replace(
    CHOSEN,
    factor="preload",
    level="preload",
    words="preloaded",
    memory_bytes=70 * MIB,
    shared_bytes=29 * MIB,
    shared_lost_bytes=5 * MIB,
    first_answer_s=0.7,
)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (
            LOADED,
            (
                "Preloaded, in one block beside it, it takes 70.0 MiB in place of 140 MiB (17.5 MiB a worker in place "
                "of 35.0 MiB), shares 29.0 MiB of it in place of 6.00 MiB (after the load 5.00 MiB less than before), "
                "first answers after 700 ms in place of 2.50 s, and answers 1,000/s in place of 1,000/s: the cheaper "
                "way to deploy it, if the app bears it."
            ),
        ),
        (replace(LOADED, throughput_rps=900.0), "answers 900/s in place of 1,000/s: no reason to change it."),
        (replace(LOADED, memory_bytes=139 * MIB), "1,000/s in place of 1,000/s: no reason to change it."),
        (
            replace(LOADED, shared_bytes=None, shared_lost_bytes=None, first_answer_s=None),
            "(17.5 MiB a worker in place of 35.0 MiB), and answers",
        ),
        (replace(LOADED, words="", level="none", memory_bytes=250 * MIB), "Preload none, in one block beside it,"),
        (replace(LOADED, why="died"), "Preloaded, it could not be measured: died."),
    ],
)
def test_a_sentence_says_what_the_other_level_takes_and_whether_that_speaks_for_it(
    other: VariantRow, says: str
) -> None:
    """Less memory by more than a twentieth, at a throughput within the margin; what is not known is left out."""
    assert says in " ".join(told([CHOSEN, other], 4, 0.05)).replace("\u202f", " ")


def test_nothing_is_said_where_there_is_nothing_to_compare_with() -> None:
    """As where what was chosen could not be measured again, or its memory cannot be read."""
    assert list(told([], 4, 0.05)) == []
    assert list(told([replace(CHOSEN, why="steal"), LOADED], 4, 0.05)) == []
    assert list(told([replace(CHOSEN, memory_bytes=None), LOADED], 4, 0.05)) == []


@pytest.mark.live
def test_on_gunicorn_preloading_is_measured_beside_what_was_chosen(tmp_path: Path) -> None:
    """It shares more, takes less and comes up with its figures; its arms are none of the candidates."""
    subject = of_names("flask", "gunicorn-gthread", "json", 1)
    plan = replace(subject.plan, rounds=1, slice_s=0.2)
    info = replace(factories.run(factories.plan(), kind="tune").info, plan=plan)
    generator = Generator(cpus=(), log=tmp_path / "logs" / "generator.log")
    bench = Bench(
        plan=plan,
        placement=Placement(server=(), generator=(), services=()),
        services=Services(),
        generator=generator,
        missing={},
        logs=tmp_path / "logs",
        progress=Silent(),
        started_ns=time.perf_counter_ns(),
    )
    try:
        with record.writing(tmp_path, info) as writer:
            block = Live(subject.arm, bench, writer).variants(Candidate(2, 2), 8)
            again = Live(subject.arm, bench, writer)
            again.go_on(())
            assert again._names == {}
    finally:
        generator.end()
    trials = record.read(tmp_path).trials
    assert [trial.arm for trial in trials] == ["t1-varied", "t1-varied-preload-preload"]
    assert [trial.error for trial in trials] == [None, None]
    assert block is not None
    chosen, loaded = rows(block, Candidate(2, 2))
    assert (loaded.factor, loaded.level, loaded.words) == ("preload", "preload", "preloaded")
    assert (loaded.memory_bytes or 0) < (chosen.memory_bytes or 0)
    assert (loaded.shared_bytes or 0) > (chosen.shared_bytes or 0)
    assert loaded.shared_lost_bytes is not None
    assert all(row.first_answer_s for row in (chosen, loaded))
