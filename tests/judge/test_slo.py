"""Objectives are read strictly, and hold under a load or not by its loss ratio."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.judge.slo import Loss, Objective, Slo, Tally, held, parse, worst
from harness.spec.histogram import Histogram


def tally(*response_us: int, errors: int = 0, unsent: int = 0) -> Tally:
    """The tally of a load with these response times of good answers."""
    histogram = Histogram()
    histogram.record(list(response_us))
    return Tally(arrivals=len(response_us) + errors + unsent, errors=errors, unsent=unsent, response_us=histogram)


def only(slo: Slo, load: Tally) -> Loss:
    """What is lost to the only objective of `slo`."""
    (loss,) = slo.evaluate(load)
    return loss


def test_objectives_are_read_with_their_units():
    """A percentile becomes a loss ratio and a limit in microseconds, errors a loss ratio alone."""
    p99, errors, median = parse("p99<100ms,errors<0.1%,p50<250us").objectives
    assert (p99.metric, p99.limit_us, p99.loss_goal) == ("p99", 100_000, 0.01)
    assert (errors.metric, errors.limit_us, errors.loss_goal) == ("errors", None, 0.001)
    assert (median.limit_us, median.loss_goal) == (250, 0.5)


def test_spaces_and_fractions_are_allowed():
    """People write `p99.9 < 1.5 s`."""
    (objective,) = parse(" p99.9 < 1.5 s ").objectives
    assert (objective.limit_us, objective.loss_goal) == (1_500_000, 0.001)


def test_what_is_printed_can_be_pasted():
    """With its thin spaces and its micro sign."""
    slo = parse("p99.9<1.5s,p50<250us,errors<0.1%")
    assert parse(slo.text) == slo


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("p99<100ms,", "empty"),
        ("p99<=100ms", "no objective"),
        ("p99>100ms", "no objective"),
        ("p99<100", "no objective"),
        ("p99<-1ms", "no objective"),
        ("P99<100ms", "no objective"),
        ("p99<1e2ms", "no objective"),
        ("p99<nanms", "no objective"),
        ("p99<100ms;errors<1%", "no objective"),
        ("p98<100ms", "'p98' is not a metric"),
        ("latency<100ms", "'latency' is not a metric"),
        ("p99<5%", "compared with a time"),
        ("errors<5ms", "percentage"),
        ("errors<0%", "between 0 and 100"),
        ("errors<100%", "between 0 and 100"),
        ("p99<0ms", "between 1 us and an hour"),
        ("p99<4000s", "between 1 us and an hour"),
        ("p99<100ms,p99<50ms", "p99 is stated twice"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str):
    """Nothing is guessed: the message has the text, the fault and the form."""
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert why in str(caught.value)
    assert repr(text) in str(caught.value)
    assert "p99<100ms,errors<0.1%" in str(caught.value)


def test_every_fault_is_reported_at_once():
    """One correction should be enough."""
    with pytest.raises(UsageError, match=r"'p98' is not a metric.*'errors' is no objective"):
        parse("p98<1ms,errors")


def test_the_text_reads_as_a_person_would_write_it():
    """It stands in reports."""
    assert parse("p99<1500ms,errors<0.5%").text == "p99 < 1.50\u202fs, errors < 0.5\u202f%"


def test_one_late_answer_in_a_hundred_is_allowed_at_p99_and_two_are_not():
    """p99 < 100 ms means that at most 1 % may be lost."""
    slo = parse("p99<100ms")
    assert held(slo.evaluate(tally(*[50_000] * 99, 200_000)))
    assert not held(slo.evaluate(tally(*[50_000] * 98, 200_000, 200_000)))


def test_errors_and_arrivals_that_were_never_sent_are_lost_to_a_percentile_too():
    """A server that fails fast has no good latency."""
    slo = parse("p99<100ms")
    assert not held(slo.evaluate(tally(*[50_000] * 98, errors=1, unsent=1)))


def test_late_answers_are_no_errors():
    """An error objective alone asks only whether answers came."""
    assert held(parse("errors<1%").evaluate(tally(*[5_000_000] * 100)))


def test_a_single_error_breaks_nothing():
    """With few requests one error is over any small percentage, and says nothing."""
    slo = parse("errors<0.1%")
    assert held(slo.evaluate(tally(*[1000] * 50, errors=1)))
    assert not held(slo.evaluate(tally(*[1000] * 50, errors=2)))


def test_no_arrivals_keep_no_promise():
    """Nothing measured is nothing held."""
    assert not held(parse("p99<100ms").evaluate(tally()))


def test_the_worst_objective_and_what_broke_it_are_named():
    """The objective that was missed by most, and what most of its loss was."""
    losses = parse("p50<100ms,p99<100ms,errors<1%").evaluate(tally(*[50_000] * 90, *[200_000] * 6, errors=4))
    assert worst(losses).objective.metric == "p99"
    assert worst(losses).cause == "late"
    assert worst(parse("errors<1%").evaluate(tally(*[1000] * 9, unsent=5))).cause == "never sent"


def test_arrivals_that_resolve_it_follow_from_the_strictest_objective():
    """p99 wants a thousand, p99.9 ten thousand, 0.1 % of errors a thousand."""
    assert parse("p50<1s,p99<2s").arrivals_needed == 1000
    assert parse("p99.9<1s").arrivals_needed == 10_000
    assert parse("errors<0.1%").arrivals_needed == 1000


def test_slack_is_the_tightest_limit():
    """How long a queue can grow before it shows as lateness."""
    assert parse("p50<20ms,p99<100ms").slack_s == pytest.approx(0.02)
    assert parse("errors<1%").slack_s == 0


def test_the_limit_itself_is_in_time():
    """Values are late when they are over the limit, to the histogram's resolution."""
    histogram = Histogram()
    histogram.record([999, 1000, 1001])
    assert histogram.above(1000) == 1
    assert Histogram().above(1000) == 0


def test_allowance_is_not_lost_to_rounding():
    """1 % of 2,900 is 29, whatever 0.01 is in binary."""
    objective = Objective(metric="p99", limit_us=1, loss_goal=0.01, text="")
    assert objective.allowed(2900) == 29
    assert only(Slo((objective,)), tally(*[1] * 2871, *[10] * 29)).held
