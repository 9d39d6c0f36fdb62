"""A tuning from its probe to its answer, with servers that are never launched and a clock that is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import AnswerError, GatebenchError, LaunchError, LoadError
from harness.judge.slo import Slo, Tally, parse
from harness.spec.histogram import Histogram
from harness.tune.answer import dump, load
from harness.tune.blocks import BlockOutcome
from harness.tune.candidates import Candidate, Service
from harness.tune.conclusion import answer, refusal
from harness.tune.live import measured, room_bytes, tally
from harness.tune.next_rate import Try
from harness.tune.session import Probe
from harness.tune.trials import UNUSABLE, RateTrial
from tests import factories
from tests.tune.tune_support import ARM, FAST, SERVICE, Fake, session


def test_it_finds_the_count_and_the_rate_within_its_budget() -> None:
    """The smallest count of the plateau, a bracket around the edge, and no second more than it may take."""
    fake = Fake()
    lines: list[str] = []
    found = session(fake, say=lines.append)
    told = answer(FAST, ARM, found)
    assert told.recommended == Candidate(16)
    assert told.capacity_rps is not None
    assert told.capacity_rps.low is not None
    assert told.capacity_rps.high is not None
    assert told.capacity_rps.low <= 300 <= told.capacity_rps.high
    assert found.elapsed_s <= FAST.budget_s
    assert all("left" in line for line in lines)
    assert told.command == ("python", "-m", "gunicorn", "targets.flask_app:app", "-w", "16")
    assert load(dump(told)) == told
    assert fake.launched == fake.stopped == [Candidate(16)]
    assert fake.seeds == [pytest.approx((320, 64))]


@pytest.mark.parametrize(
    ("limit", "service", "seed_rps"),
    [
        ("connections", replace(SERVICE, slots="loop", slots_a_worker=16), 5000),
        ("connections", SERVICE, 320),
        ("server-cpu", replace(SERVICE, slots="loop", slots_a_worker=16), 320),
    ],
    ids=["by the CPU", "by the slots", "by what was measured"],
)
def test_the_search_begins_where_connections_would_not_matter(limit: str, service: Service, seed_rps: float) -> None:
    """A closed load with too few connections says little of an open one; what the server can do at most says more."""
    found = session(Fake(limit=limit, service=service, capacity_rps=0.9 * seed_rps))
    assert found.search is not None
    assert found.search.seed_rps == pytest.approx(seed_rps, rel=0.01)
    assert found.ending == "settled"


@pytest.mark.parametrize("budget_s", [30.0, 60.0, 120.0, 300.0])
@pytest.mark.parametrize("slo", [None, FAST.slo])
def test_the_budget_is_kept_with_an_answer(budget_s: float, slo: Slo | None) -> None:
    """However short, something is recommended and it is never much later."""
    asked = replace(FAST, budget_s=budget_s, slo=slo)
    found = session(Fake(), asked)
    assert found.elapsed_s <= budget_s
    assert answer(asked, ARM, found).recommended is not None


def test_without_an_objective_nothing_is_searched_for() -> None:
    """The recommendation alone, and no capacity."""
    asked = replace(FAST, slo=None)
    fake = Fake()
    told = answer(asked, ARM, session(fake, asked))
    assert told.capacity_rps is None
    assert told.recommended == Candidate(16)
    assert fake.launched == []
    assert told.caveats == ()


def test_a_candidate_that_fails_is_told_and_left_out() -> None:
    """It stands in the table with its reason; the best of the others is recommended."""
    lines: list[str] = []
    told = answer(FAST, ARM, session(Fake(broken=(16,)), say=lines.append))
    row = next(row for row in told.candidates if row.workers == 16)
    assert (row.standing, row.throughput_rps) == ("failed", None)
    assert row.why == "did not come up"
    assert told.recommended is not None
    assert told.recommended.workers > 16
    assert "  16 workers: did not come up" in lines


def test_a_disturbed_block_is_measured_again() -> None:
    """Nothing valid in the first block is not the end of it."""

    class Disturbed(Fake):
        def block(self, some: tuple[Candidate, ...]) -> BlockOutcome:
            self.broken = tuple(range(100)) if self.steps == 1 else ()
            return super().block(some)

    assert answer(FAST, ARM, session(Disturbed())).recommended == Candidate(16)


def test_when_all_fail_nothing_is_recommended() -> None:
    """And there is no search without a count to search with."""
    found = session(Fake(broken=tuple(range(100))))
    told = answer(FAST, ARM, found)
    assert (told.recommended, told.capacity_rps, told.ended) == (None, None, "nothing valid")
    assert "did not come up" in told.explanation
    assert "the capacity was not searched for" in told.caveats[0]


def test_what_one_connection_misses_is_refused_at_once() -> None:
    """No block is measured for p99 < 1 ms on answers that take fifty."""
    fake, asked = Fake(), replace(FAST, slo=parse("p99<1ms"))
    found = session(fake, asked)
    told = answer(asked, ARM, found)
    assert fake.steps == 1
    assert told.capacity_rps is not None
    assert (told.capacity_rps.ending, told.capacity_rps.low) == ("nothing holds", None)
    reason = refusal(found).replace("\u202f", " ")
    assert "30 of 30 requests were lost to it (late); the unloaded response takes 50.0 ms" in reason
    assert told.explanation == refusal(found)
    assert load(dump(told)) == told


def test_one_late_answer_of_thirty_refuses_nothing() -> None:
    """A single outlier in the probe is no proof."""
    responses = Histogram()
    responses.record([50_000] * 29 + [150_000])

    class Outlier(Fake):
        def probe(self) -> Probe:
            return Probe(service=SERVICE, tally=Tally(arrivals=30, errors=0, unsent=0, response_us=responses))

    assert session(Outlier()).refused is None


@pytest.mark.parametrize("step", [1, 2, 3, 6, 9, 15])
def test_ctrl_c_gives_the_best_answer_so_far(step: int) -> None:
    """Whenever it comes, what is known is told, and that it was interrupted."""
    fake = Fake(stop_at=step)
    found = session(fake)
    told = answer(FAST, ARM, found)
    assert told.interrupted
    assert "interrupted: this is the best answer so far" in told.caveats
    assert (told.recommended is not None) == (len(found.blocks) > 0)
    assert fake.launched == fake.stopped
    assert load(dump(told)) == told


@pytest.mark.parametrize("error", [LaunchError("port 8123 is taken"), AnswerError("GET /: 500"), LoadError("died")])
@pytest.mark.parametrize("step", [2, 3, 6, 12, 20])
def test_a_failure_ends_the_work_and_not_the_answer(step: int, error: GatebenchError) -> None:
    """What was measured before is answered with, and says why it is not more."""
    fake = Fake(fail_at=step, failure=error)
    found = session(fake)
    told = answer(FAST, ARM, found)
    assert told.failure == str(error)
    assert told.recommended == (found.choice.recommended if found.choice else None)
    assert (told.recommended is not None) == (step > 2)
    assert told.caveats[0] == f"broken off: {error}"
    assert "by a launch or a load that failed" in told.explanation
    assert not told.interrupted
    assert fake.launched == fake.stopped
    assert load(dump(told)) == told


def test_a_search_that_is_broken_off_says_by_what_it_ended() -> None:
    """Its bracket is as unsettled as the trials until then left it."""
    told = answer(FAST, ARM, session(Fake(fail_at=20)))
    assert told.capacity_rps is not None
    assert (told.capacity_rps.ending, told.capacity_rps.settled) == ("failed", False)
    assert "not settled before it was broken off" in told.explanation


def test_a_search_that_is_broken_off_before_its_first_trial_is_no_matter_of_time() -> None:
    """The caveat about a search that was not made names the failure only."""
    blocks = session(Fake()).blocks
    told = answer(FAST, ARM, session(Fake(fail_at=len(blocks) + 2)))
    assert told.capacity_rps is None
    assert told.caveats == ("broken off: gunicorn ended with exit code 3",)


def test_a_search_whose_trials_cannot_be_used_gives_up_and_says_so() -> None:
    """It does not spend the budget on them, and does not blame the time."""
    found = session(Fake(unusable=True))
    told = answer(FAST, ARM, found)
    assert len(found.trials) == UNUSABLE
    assert found.ending == "unusable"
    assert "8 of 8 trials of the search may not be used" in told.caveats[0]
    assert told.capacity_rps is not None
    assert (told.capacity_rps.low, told.capacity_rps.high) == (None, None)
    assert "What load holds p99 < 100\u202fms is not known: no trial of the search could be used" in told.explanation
    assert "time" not in told.explanation.partition("What load")[2]


def test_trials_that_can_no_longer_be_used_leave_what_those_before_showed() -> None:
    """The bracket stands as far as it is known, and why it is no narrower."""

    class Later(Fake):
        def _offered(self, step: Try) -> RateTrial:
            self.unusable = self.offered >= 4
            return super()._offered(step)

    told = answer(FAST, ARM, session(Later()))
    assert told.capacity_rps is not None
    assert told.capacity_rps.ending == "unusable"
    assert told.capacity_rps.low is not None
    assert "not settled: the last 8 trials could not be used" in told.explanation


def test_a_rate_that_never_holds_ends_the_search() -> None:
    """Nothing holds, which the answer says."""
    told = answer(FAST, ARM, session(Fake(capacity_rps=0.0)))
    assert told.capacity_rps is not None
    assert (told.capacity_rps.ending, told.capacity_rps.low) == ("nothing holds", None)
    assert "No load holds" in told.explanation


def test_a_server_that_does_not_answer_is_an_error() -> None:
    """The probe's own reason reaches the user."""

    class Dead(Fake):
        def probe(self) -> Probe:
            raise LaunchError("ended with exit code 3")

    with pytest.raises(LaunchError, match="exit code 3"):
        session(Dead())


def test_a_trial_is_counted_by_what_was_scheduled() -> None:
    """Open: arrivals, errors and drops; closed: requests."""
    trial = factories.trial(phase="open", errors=3, dropped=7)
    scheduled = tuple(replace(one, scheduled=500) for one in trial.slices)
    counted = tally(replace(trial, slices=scheduled))
    assert (counted.arrivals, counted.errors, counted.unsent) == (500 * len(scheduled), 3, 7)
    assert tally(factories.trial()).arrivals == factories.trial().requests


def test_a_machine_that_changes_its_speed_is_told() -> None:
    """The bracket moves with it; what a far lower rate costs says nothing of the machine."""
    found = session(Fake())
    costs = [0.0002 if number % 2 else 0.0003 for number in range(len(found.trials))]
    moody = [replace(one, cpu_s_per_request=cost) for one, cost in zip(found.trials, costs, strict=True)]
    (caveat,) = answer(FAST, ARM, replace(found, trials=moody)).caveats
    assert caveat.startswith("the machine changed its speed during the search: a request took 200")
    steady = [replace(one, cpu_s_per_request=0.0002) for one in found.trials]
    idle = replace(steady[0], rate_rps=1.0, cpu_s_per_request=0.001)
    assert answer(FAST, ARM, replace(found, trials=[*steady, *[idle] * (len(steady) // 3)])).caveats == ()


def test_a_candidate_without_a_valid_trial_has_a_reason_and_no_figure() -> None:
    """Whether it failed, may not be used, or was never counted."""
    one = Candidate(4)
    assert measured(one, factories.trial()).throughput_rps == factories.trial().throughput_rps
    invalid = replace(factories.trial(), valid=False, reasons=("steal",))
    assert (measured(one, invalid).throughput_rps, measured(one, invalid).error) == (None, "steal")
    assert measured(one, replace(invalid, error="died")).error == "died"
    assert measured(one, None).error == "nothing was counted"


def test_the_room_is_a_share_of_what_is_free(tmp_path: Path) -> None:
    """From MemAvailable; unknown where there is none."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 2000 kB\nMemAvailable: 1000 kB\n")
    assert room_bytes(meminfo) == round(0.7 * 1000 * 1024)
    assert room_bytes(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("changes", "candidate", "rps", "connections"),
    [
        ({"slots": "loop", "slots_a_worker": 16}, Candidate(1), 2000, 256),
        ({"slots": "loop", "slots_a_worker": 16}, Candidate(1), 8000, 500),
        ({"slots": "loop", "slots_a_worker": 16}, Candidate(1), 80_000, 1024),
        ({}, Candidate(2), 40, 64),
        ({"slots": "threads"}, Candidate(4, 16), 1000, 128),
    ],
)
def test_an_open_load_has_connections_for_all_that_is_under_way(
    changes: dict[str, Any], candidate: Candidate, rps: float, connections: int
) -> None:
    """So that what is late is the server's doing."""
    assert replace(SERVICE, **changes).pool(candidate, rps) == connections
