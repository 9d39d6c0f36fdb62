"""A tuning from the lone worker to its answer, without servers, and with a clock that only steps move."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import AnswerError, GatebenchError, LaunchError, LoadError
from harness.judge.slo import Slo, Tally, parse
from harness.spec.histogram import Histogram
from harness.tune.blocks import BlockOutcome, Measured
from harness.tune.candidates import Candidate, Service
from harness.tune.conclusion import recommend, refusal
from harness.tune.launches import shown
from harness.tune.next_rate import Try
from harness.tune.of_trial import measured, tally
from harness.tune.rate.asked import Asked, RateBlock
from harness.tune.recommendation import dump, load
from harness.tune.state import LoneWorker
from harness.tune.trials import UNUSABLE, RateTrial
from tests import factories
from tests.tune.tune_support import ARM, FAST, SERVICE, Fake, session


def test_it_finds_the_count_and_the_rate_within_its_budget() -> None:
    """The smallest count of the plateau, a bracket around the edge, and no second more than it may take."""
    fake = Fake()
    lines: list[str] = []
    tuning = session(fake, say=lines.append)
    recommendation = recommend(FAST, ARM, tuning)
    assert recommendation.recommended == Candidate(16)
    assert recommendation.capacity_rps is not None
    assert recommendation.capacity_rps.low is not None
    assert recommendation.capacity_rps.high is not None
    assert recommendation.capacity_rps.low <= 300 <= recommendation.capacity_rps.high
    assert tuning.elapsed_s <= FAST.budget_s
    assert all("left" in line for line in lines)
    assert recommendation.command == ("python", "-m", "gunicorn", "targets.flask_app:app", "-w", "16")
    assert load(dump(recommendation)) == recommendation
    assert fake.launched == fake.stopped == [Candidate(16)]
    assert fake.seeds == [pytest.approx((300, 64), rel=0.05)]


@pytest.mark.parametrize(
    ("limit", "service", "seed_rps"),
    [
        ("connections", replace(SERVICE, slots="loop", slots_a_worker=16), 5000),
        ("connections", SERVICE, 320),
        ("server-cpu", replace(SERVICE, slots="loop", slots_a_worker=16), 320),
    ],
    ids=["by the CPU", "by the slots", "by what was measured"],
)
def test_without_rounds_the_search_begins_where_connections_would_not_matter(
    limit: str, service: Service, seed_rps: float
) -> None:
    """A closed load with too few connections says little of an open one; what the server can do at most says more."""

    class NoRounds(Fake):
        def rate_block(self, group: tuple[Candidate, ...], asked: Asked) -> RateBlock:
            self.unusable = True
            shown = super().rate_block(group, asked)
            self.unusable = False
            return shown

    tuning = session(NoRounds(limit=limit, service=service, capacity_rps=0.9 * seed_rps))
    assert tuning.search is not None
    assert tuning.search.seed_rps == pytest.approx(seed_rps, rel=0.01)


def test_the_search_begins_at_what_the_rounds_say() -> None:
    """Closed load says 320 a second; 240 hold the objective."""
    tuning = session(Fake(capacity_rps=240.0))
    assert tuning.search is not None
    assert tuning.search.seed_rps == pytest.approx(240, rel=0.05)


@pytest.mark.parametrize("budget_s", [30.0, 60.0, 120.0, 300.0])
@pytest.mark.parametrize("slo", [None, FAST.slo])
def test_the_budget_is_kept_with_an_answer(budget_s: float, slo: Slo | None) -> None:
    """However short, something is recommended and it is never much later."""
    question = replace(FAST, budget_s=budget_s, slo=slo)
    tuning = session(Fake(), question)
    assert tuning.elapsed_s <= budget_s
    assert recommend(question, ARM, tuning).recommended is not None


def test_without_an_objective_the_usual_one_is_taken_and_named() -> None:
    """Four unloaded responses of 50 ms; the answer says that nobody asked for it."""
    question = replace(FAST, slo=None)
    fake = Fake()
    recommendation = recommend(question, ARM, session(fake, question))
    assert (recommendation.slo, recommendation.slo_given) == ("p99 < 200\u202fms", False)
    assert recommendation.recommended == Candidate(16)
    assert recommendation.capacity_rps is not None
    assert "no objective was given; this one is usual, --slo states another" in recommendation.explanation
    assert recommendation.caveats == ()


def test_a_service_too_slow_for_the_usual_objective_is_judged_by_its_throughput() -> None:
    """As there is nothing to resolve it with."""
    question = replace(FAST, slo=None)
    fake = Fake(service=replace(SERVICE, cpu_s_per_request=0.5))
    recommendation = recommend(question, ARM, session(fake, question))
    assert (recommendation.slo, recommendation.capacity_rps, recommendation.rounds) == (None, None, None)
    assert recommendation.recommended is not None
    assert fake.rates == []


def test_the_settings_are_chosen_by_open_load_at_common_rates() -> None:
    """Each candidate has what it held of the rounds; the paragraph says so, and what the load was."""
    fake = Fake()
    recommendation = recommend(FAST, ARM, session(fake))
    assert recommendation.rounds is not None
    assert recommendation.rounds.rounds == len(fake.rates) > 2
    row = next(row for row in recommendation.candidates if row.workers == 16)
    assert row.held is not None
    assert row.held.held > 0
    assert row.held.rps == pytest.approx(300, rel=0.05)
    text = recommendation.explanation.replace("\u202f", " ")
    assert (
        "whose capacity under p99 < 100 ms is within 5.0 % of the best" in text or "is within 5 % of the best" in text
    )
    assert "of open load at" in text
    assert "all candidates got the same arrivals" in text


def test_a_candidate_that_fails_is_reported_and_left_out() -> None:
    """It stands in the table with its reason; the best of the others is recommended."""
    lines: list[str] = []
    recommendation = recommend(FAST, ARM, session(Fake(broken=(16,)), say=lines.append))
    row = next(row for row in recommendation.candidates if row.workers == 16)
    assert (row.standing, row.throughput_rps) == ("failed", None)
    assert row.why == "did not come up"
    assert recommendation.recommended is not None
    assert recommendation.recommended.workers > 16
    assert "  16 workers: did not come up" in lines


def test_a_block_without_a_valid_trial_is_measured_again() -> None:
    """Nothing valid in the first block is not the end of it."""

    class FirstBlockFails(Fake):
        def block(self, group: tuple[Candidate, ...]) -> BlockOutcome:
            self.broken = tuple(range(100)) if self.steps == 1 else ()
            return super().block(group)

    assert recommend(FAST, ARM, session(FirstBlockFails())).recommended == Candidate(16)
    short = replace(FAST, budget_s=140.0)
    assert recommend(short, ARM, session(FirstBlockFails(), short)).recommended is not None, "it took its share before"


def test_when_all_fail_nothing_is_recommended() -> None:
    """And there is no search without a count to search with."""
    tuning = session(Fake(broken=tuple(range(100))))
    recommendation = recommend(FAST, ARM, tuning)
    assert (recommendation.recommended, recommendation.capacity_rps, recommendation.ended) == (
        None,
        None,
        "nothing valid",
    )
    assert "did not come up" in recommendation.explanation
    assert "the capacity was not searched for" in recommendation.caveats[0]


def test_what_one_connection_misses_is_refused_at_once() -> None:
    """No block is measured for p99 < 1 ms on answers that take fifty."""
    fake, question = Fake(), replace(FAST, slo=parse("p99<1ms"))
    tuning = session(fake, question)
    recommendation = recommend(question, ARM, tuning)
    assert fake.steps == 1
    assert recommendation.capacity_rps is not None
    assert (recommendation.capacity_rps.ending, recommendation.capacity_rps.low) == ("nothing holds", None)
    reason = refusal(tuning).replace("\u202f", " ")
    assert "30 of 30 requests were lost to it (late); the unloaded response takes 50.0 ms" in reason
    assert recommendation.explanation == refusal(tuning)
    assert load(dump(recommendation)) == recommendation


def test_one_late_answer_of_thirty_refuses_nothing() -> None:
    """A single late answer to the lone connection is no proof."""
    responses = Histogram()
    responses.record([50_000] * 29 + [150_000])

    class Outlier(Fake):
        def lone_worker(self) -> LoneWorker:
            return LoneWorker(service=SERVICE, tally=Tally(arrivals=30, errors=0, unsent=0, response_us=responses))

    assert session(Outlier()).refused is None


@pytest.mark.parametrize("step", [1, 2, 3, 6, 9, 15])
def test_ctrl_c_gives_the_best_answer_so_far(step: int) -> None:
    """Whenever it comes, the answer holds what is known by then, and says that it was interrupted."""
    fake = Fake(stop_at=step)
    tuning = session(fake)
    recommendation = recommend(FAST, ARM, tuning)
    assert recommendation.interrupted
    assert "interrupted: this is the best answer so far" in recommendation.caveats
    assert (recommendation.recommended is not None) == (len(tuning.blocks) > 0)
    assert fake.launched == fake.stopped
    assert load(dump(recommendation)) == recommendation


@pytest.mark.parametrize("error", [LaunchError("port 8123 is taken"), AnswerError("GET /: 500"), LoadError("died")])
@pytest.mark.parametrize("step", [2, 3, 6, 12, 20])
def test_a_failure_ends_the_work_and_not_the_answer(step: int, error: GatebenchError) -> None:
    """The answer holds what was measured before, and says why it is not more."""
    fake = Fake(fail_at=step, failure=error)
    tuning = session(fake)
    recommendation = recommend(FAST, ARM, tuning)
    assert recommendation.failure == str(error)
    assert recommendation.recommended == (tuning.choice.recommended if tuning.choice else None)
    assert (recommendation.recommended is not None) == (step > 2)
    assert recommendation.caveats[0] == f"broken off: {error}"
    assert "by a launch or a load that failed" in recommendation.explanation
    assert not recommendation.interrupted
    assert fake.launched == fake.stopped
    assert load(dump(recommendation)) == recommendation


def test_a_search_that_is_broken_off_says_by_what_it_ended() -> None:
    """Its bracket is as unsettled as the trials until then left it."""
    recommendation = recommend(FAST, ARM, session(Fake(fail_at=20)))
    assert recommendation.capacity_rps is not None
    assert (recommendation.capacity_rps.ending, recommendation.capacity_rps.settled) == ("failed", False)
    assert "not settled before it was broken off" in recommendation.explanation


def test_a_search_that_is_broken_off_before_its_first_trial_is_no_matter_of_time() -> None:
    """The caveat about a search that was not made names the failure only."""
    blocks = session(Fake()).blocks
    recommendation = recommend(FAST, ARM, session(Fake(fail_at=len(blocks) + 2)))
    assert recommendation.capacity_rps is None
    assert recommendation.caveats == ("broken off: gunicorn ended with exit code 3",)


def test_a_search_whose_trials_cannot_be_used_gives_up_and_says_so() -> None:
    """It does not spend the budget on them, and does not blame the time."""
    tuning = session(Fake(unusable=True))
    recommendation = recommend(FAST, ARM, tuning)
    assert len(tuning.trials) == UNUSABLE
    assert tuning.ending == "unusable"
    assert "8 of 8 trials of the search may not be used" in recommendation.caveats[0]
    assert recommendation.capacity_rps is not None
    assert (recommendation.capacity_rps.low, recommendation.capacity_rps.high) == (None, None)
    assert (
        "What load holds p99 < 100\u202fms is not known: no trial of the search could be used"
        in recommendation.explanation
    )
    assert "time" not in recommendation.explanation.partition("What load")[2]


def test_trials_that_can_no_longer_be_used_leave_what_those_before_showed() -> None:
    """The bracket stands as far as it is known, and why it is no narrower."""

    class Later(Fake):
        def _offered(self, step: Try) -> RateTrial:
            self.unusable = self.offered >= 4
            return super()._offered(step)

    recommendation = recommend(FAST, ARM, session(Later()))
    assert recommendation.capacity_rps is not None
    assert recommendation.capacity_rps.ending == "unusable"
    assert recommendation.capacity_rps.low is not None
    assert "not settled: the last 8 trials could not be used" in recommendation.explanation


def test_a_rate_that_never_holds_ends_the_search() -> None:
    """Nothing holds, which the answer says."""
    recommendation = recommend(FAST, ARM, session(Fake(capacity_rps=0.0)))
    assert recommendation.capacity_rps is not None
    assert (recommendation.capacity_rps.ending, recommendation.capacity_rps.low) == ("nothing holds", None)
    assert "No load holds" in recommendation.explanation


def test_a_server_that_does_not_answer_is_an_error() -> None:
    """The reason why the lone worker did not answer reaches the user."""

    class Dead(Fake):
        def lone_worker(self) -> LoneWorker:
            raise LaunchError("ended with exit code 3")

    with pytest.raises(LaunchError, match="exit code 3"):
        session(Dead())


def test_a_trial_is_counted_by_what_was_scheduled() -> None:
    """Open: arrivals, errors and drops; closed: requests."""
    trial = factories.trial(phase="open", errors=3, dropped=7)
    scheduled = tuple(replace(row, scheduled=500) for row in trial.slices)
    counted = tally(replace(trial, slices=scheduled))
    assert (counted.arrivals, counted.errors, counted.unsent) == (500 * len(scheduled), 3, 7)
    assert tally(factories.trial()).arrivals == factories.trial().requests


def test_a_machine_that_changes_its_speed_is_reported() -> None:
    """The bracket moves with it; what a far lower rate costs says nothing of the machine."""
    tuning = session(Fake())
    costs = [0.0002 if number % 2 else 0.0003 for number in range(len(tuning.trials))]
    moody = [replace(trial, cpu_s_per_request=cost) for trial, cost in zip(tuning.trials, costs, strict=True)]
    (caveat,) = recommend(FAST, ARM, replace(tuning, trials=moody)).caveats
    assert caveat.startswith("the machine changed its speed during the search: a request took 200")
    steady = [replace(trial, cpu_s_per_request=0.0002) for trial in tuning.trials]
    idle = replace(steady[0], rate_rps=1.0, cpu_s_per_request=0.001)
    assert recommend(FAST, ARM, replace(tuning, trials=[*steady, *[idle] * (len(steady) // 3)])).caveats == ()


def test_a_candidate_without_a_valid_trial_has_a_reason_and_no_figure() -> None:
    """Whether it failed, may not be used, or was never counted."""
    candidate = Candidate(4)
    assert measured(candidate, factories.trial()).throughput_rps == factories.trial().throughput_rps
    invalid = replace(factories.trial(), valid=False, reasons=("steal",))
    assert (measured(candidate, invalid).throughput_rps, measured(candidate, invalid).error) == (None, "steal")
    assert measured(candidate, replace(invalid, error="died")).error == "died"
    assert measured(candidate, None).error == "nothing was counted"


def test_the_launch_of_a_trial_is_told_whether_the_trial_may_be_used_or_not():
    """It says nothing of the load. Records that are older than these figures have none."""
    rows = factories.trial(rounds=1).slices
    known: dict[str, float] = {"first_answer_s": 0.8, "shared_bytes": 30, "shared_before_bytes": 34}
    trial = factories.trial(None, slices=tuple(replace(row, shared_bytes=29) for row in rows), **known)
    for each in (trial, replace(trial, valid=False, reasons=("steal",))):
        seen = measured(Candidate(2), each)
        assert (seen.first_answer_s, seen.shared_bytes, seen.shared_lost_bytes) == (0.8, 30, 5)
    older = measured(Candidate(2), factories.trial())
    assert (older.first_answer_s, older.shared_bytes, older.shared_lost_bytes) == (None, None, None)


def test_the_row_of_a_candidate_has_the_median_over_its_launches_and_their_range() -> None:
    """Those for blocks of closed load and those for rounds: here 0.3 s and 0.5 s."""
    answer = recommend(FAST, ARM, session(Fake()))
    row = next(row for row in answer.candidates if row.standing == "recommended")
    assert row.first_answer_s in {0.3, 0.4, 0.5}
    assert (row.first_answer_low_s, row.first_answer_high_s) == (0.3, 0.5)
    assert (row.shared_bytes, row.shared_lost_bytes) == (30, 4)


def test_so_has_that_of_a_candidate_under_a_rate() -> None:
    """What none of its launches tells is missing."""
    question = replace(FAST, rate_rps=200.0)
    answer = recommend(question, ARM, session(Fake(), question))
    assert answer.rate is not None
    row = next(row for row in answer.rate.rows if row.standing == "recommended")
    assert (row.first_answer_s, row.first_answer_low_s, row.first_answer_high_s) == (0.5, 0.5, 0.5)
    assert (row.shared_bytes, row.shared_lost_bytes) == (30, None)


def test_a_single_launch_has_no_range_and_none_that_is_known_has_nothing() -> None:
    """Never a zero for what is not known."""
    one = Measured(candidate=Candidate(2), first_answer_s=0.7)
    assert [shown([one])[f"first_answer{end}_s"] for end in ("", "_low", "_high")] == [0.7, None, None]
    assert set(shown([Measured(candidate=Candidate(2))]).values()) == {None}
