"""A tuning with a rate from the lone worker to its answer, without servers, and with a clock that only steps move."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import GateError, LaunchError, NothingValidError, UsageError
from harness.judge.slo import parse
from harness.tune import journal
from harness.tune.candidates import Candidate
from harness.tune.conclusion import recommend, shortfall
from harness.tune.explain_rate import told
from harness.tune.journal import Journal
from harness.tune.rate.answer import RateStanding
from harness.tune.recommendation import dump, load
from harness.tune.state import Question
from tests.tune.tune_support import ARM, SERVICE, Fake, session

HOLD = Question(slo=parse("p99<100ms"), budget_s=300.0, rate_rps=200.0)
THREADS = replace(SERVICE, slots="threads", connections=1024)


def test_the_cheapest_settings_that_hold_the_rate_are_found_within_the_budget() -> None:
    """260 a second take thirteen slots of twenty a second each: one worker with that many threads, or a step more."""
    fake = Fake(service=THREADS)
    lines: list[str] = []
    tuning = session(fake, HOLD, say=lines.append)
    found = recommend(HOLD, ARM, tuning)
    assert set(fake.rates) == {260.0}
    assert found.ended == "settled"
    assert found.recommended is not None
    assert found.recommended.workers == 1
    assert 13 <= found.recommended.threads <= 17
    assert tuning.elapsed_s <= HOLD.budget_s
    assert "so far 1 worker x" in lines[-1]
    assert load(dump(found)) == found
    assert found.capacity_rps is None
    assert found.caveats == ()


def test_the_paragraph_says_what_was_asked_why_it_is_the_cheapest_and_what_was_not_tried() -> None:
    """All that a review asks for."""
    text = recommend(HOLD, ARM, session(Fake(service=THREADS), HOLD)).explanation.replace("\u202f", " ")
    assert "holds p99 < 100 ms at 200/s with 30 % headroom, so at 260/s" in text
    assert "within 5.0 % of that the fewest workers" in text or "within 5 % of that the fewest workers" in text
    assert "1 worker of 11 threads does not: 40 % of its requests were lost to it" in text
    assert "its slots stop it" in text
    assert "2 x cores + 1 = 3 workers of" in text
    assert "Not tried, because it cannot matter: fewer than 9 slots, of which Little's law asks 13.0" in text


@pytest.mark.parametrize(
    ("standing", "votes", "says"),
    [
        ("holds", (3, 0), "hold it too"),
        ("open", (1, 0), "hold it so far (1 of 1 block)"),
        ("open", (0, 1), "do not hold it so far (0 of 1 block)"),
        ("open", (1, 1), "do not hold it so far (1 of 2 blocks)"),
        ("misses", (0, 2), "do not hold it"),
    ],
)
def test_of_the_rule_of_thumb_no_more_is_said_than_its_blocks_show(
    standing: RateStanding, votes: tuple[int, int], says: str
) -> None:
    """Where these do not settle it, how many there were stands beside it."""
    found = recommend(HOLD, ARM, session(Fake(service=THREADS), HOLD))
    assert found.rate is not None
    shown = [row for row in found.rate.rows if not row.naive]
    thumb = next(row for row in found.rate.rows if row.naive)
    thumb = replace(thumb, standing=standing, held=votes[0], missed=votes[1])
    text = told(replace(found, rate=replace(found.rate, rows=(*shown, thumb)))).replace("\u202f", " ")
    assert f" {says}, in " in text.partition("2 x cores + 1 = ")[2]


def test_where_nothing_holds_the_answer_names_the_nearest_miss_and_what_would_help(tmp_path: Path) -> None:
    """And the call ends with exit code 1."""
    fake = Fake(service=replace(THREADS, cpu_s_per_request=0.004), capacity_rps=250.0)
    tuning = session(fake, HOLD)
    found = recommend(HOLD, ARM, tuning)
    assert (found.ended, found.recommended, found.command) == ("nothing holds", None, ())
    text = found.explanation.replace("\u202f", " ")
    assert "Nothing that was tried holds p99 < 100 ms at 200/s with 30 % headroom" in text
    assert "The nearest miss is 1 worker of" in text
    assert "the server's CPU stops it" in text
    assert "What would help: CPU" in text
    assert isinstance(shortfall(tmp_path, tuning, found), GateError)


def test_without_a_usable_trial_nothing_is_recommended(tmp_path: Path) -> None:
    """Exit code 3, with the reason."""
    tuning = session(Fake(service=THREADS, unusable=True), HOLD)
    found = recommend(HOLD, ARM, tuning)
    assert found.ended == "nothing valid"
    assert "Nothing could be validly measured" in found.explanation
    assert isinstance(shortfall(tmp_path, tuning, found), NothingValidError)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_ctrl_c_gives_the_best_answer_so_far(step: int) -> None:
    """Whenever it comes."""
    tuning = session(Fake(service=THREADS, stop_at=step), HOLD)
    found = recommend(HOLD, ARM, tuning)
    assert found.interrupted
    assert (found.recommended is not None) == (step > 2)
    assert found.rate is None or not found.rate.settled
    assert load(dump(found)) == found


def test_a_launch_that_fails_ends_the_work_and_not_the_answer() -> None:
    """What was measured before stands."""
    found = recommend(HOLD, ARM, session(Fake(service=THREADS, fail_at=3), HOLD))
    assert found.failure is not None
    assert found.recommended is not None
    with pytest.raises(LaunchError):
        session(Fake(service=THREADS, fail_at=1), HOLD)


def test_it_goes_on_from_its_journal(tmp_path: Path) -> None:
    """As if it had never been interrupted: the same blocks, and no lone worker again."""
    path = tmp_path / journal.FILE
    Journal(path).begin(HOLD)
    session(Fake(service=THREADS, stop_at=4), HOLD, journal=Journal(path))
    question, tuning = Journal(path).resume()
    assert question == HOLD
    assert len(tuning.rate_blocks) == 2
    assert tuning.service == THREADS
    whole = session(Fake(service=THREADS), HOLD)
    resumed = session(Fake(service=THREADS), question, journal=Journal(path), tuning=tuning)
    shown = [[each.candidate for each in block.offered] for block in resumed.rate_blocks]
    assert shown == [[each.candidate for each in block.offered] for block in whole.rate_blocks]
    assert recommend(HOLD, ARM, resumed).recommended == recommend(HOLD, ARM, whole).recommended
    assert Journal(path).resume()[1].rate_blocks == resumed.rate_blocks


def test_a_rate_needs_an_objective() -> None:
    """And one that it can resolve."""
    with pytest.raises(UsageError, match="give --slo too"):
        Question(slo=None, budget_s=300.0, rate_rps=100.0)
    with pytest.raises(UsageError, match="state a lower percentile"):
        replace(HOLD, rate_rps=5.0)


def test_a_server_that_has_one_process_is_judged_too() -> None:
    """There is one setting to judge."""
    fake = Fake(service=replace(SERVICE, slots="loop", slots_a_worker=16, connections=16, many_workers=False))
    found = recommend(replace(HOLD, rate_rps=10.0, slo=parse("p90<100ms")), ARM, session(fake, HOLD))
    assert [row.workers for row in (found.rate.rows if found.rate else ())] == [1]
    assert found.recommended in (None, Candidate(1))
