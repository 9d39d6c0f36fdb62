"""What the window of a slice comes to, from given stamps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec import GeneratorLimits
from harness.spec.histogram import Histogram
from loadtests.engine.recorder import FOLD_AT, Recorder, Window
from loadtests.engine.selfcheck import SelfCheck

SECOND = 1_000_000_000
WINDOW = Window(10 * SECOND, 12 * SECOND)
REQUESTS = st.lists(
    st.tuples(st.integers(8 * SECOND, 14 * SECOND), st.integers(0, 3 * SECOND)), min_size=1, max_size=200
)


def recorded(requests: list[tuple[float, float]], window: Window = WINDOW) -> Recorder:
    """The recorder of a closed load whose requests were sent at and lasted for so many seconds."""
    recorder = Recorder(window)
    for sent, lasted in requests:
        recorder.sent(round(sent * SECOND))
        recorder.done(round((sent + lasted) * SECOND))
    recorder.fold()
    return recorder


def test_a_request_across_an_edge_counts_by_its_part_inside_the_window() -> None:
    """At either edge, and in either half; one that began before and ended after the window, too."""
    recorder = recorded([(9.5, 1), (10.2, 0.1), (10.5, 1), (11.75, 1), (9, 4), (5, 1), (20, 1)])
    assert recorder.fractions.tolist() == pytest.approx([0.5 + 1 + 0.5 + 0.25, 0.5 + 0.25 + 0.25])
    assert recorder.good == 3
    assert recorder.totals.good == 7
    assert recorder.in_flight == pytest.approx((0.5 + 0.1 + 1 + 0.25 + 2) / 2)


def test_latencies_are_of_requests_sent_inside_the_window() -> None:
    """The start is in the window, the end is not."""
    recorder = recorded([(9.999999, 0.5), (10, 0.001), (11.9999, 0.003), (12, 0.5)])
    assert recorder.latency.count == 2
    assert recorder.latency.max == pytest.approx(3000, rel=1e-3)
    assert recorder.mean_latency_ns == pytest.approx(2_000_000)


def test_a_stall_is_a_long_time_without_an_answer_inside_the_window() -> None:
    """One that begins before the window or ends after it does not count; folding in between changes nothing."""
    recorder = Recorder(WINDOW, stall_ns=round(0.01 * SECOND))
    for at in (9.9, 9.95, 10.001, 10.002, 10.032, 10.033, 10.042, 11.0, 11.99, 12.02):
        recorder.sent(round((at - 0.001) * SECOND))
        recorder.done(round(at * SECOND))
        recorder.fold()
    assert recorder.stalls == 3
    assert recorder.stalled_s == pytest.approx(0.03 + 0.958 + 0.99)
    assert recorded([(10.0, 0.5), (11.0, 0.9)]).stalls == 0


@given(REQUESTS, st.lists(st.integers(8 * SECOND, 17 * SECOND), min_size=0, max_size=5))
def test_windows_side_by_side_lose_nothing_and_count_nothing_twice(
    requests: list[tuple[int, int]], edges: list[int]
) -> None:
    """Over windows that cover everything, answers, fractions and time in flight add up to what there was."""
    ends = sorted({8 * SECOND, *edges, 18 * SECOND})
    recorders = [recorded([(a / SECOND, d / SECOND) for a, d in requests], Window(*pair)) for pair in pairwise(ends)]
    sent_and_done = [(round(a / SECOND * SECOND), round((a / SECOND + d / SECOND) * SECOND)) for a, d in requests]
    assert sum(recorder.good for recorder in recorders) == len(requests)
    instant = sum(sent == done for sent, done in sent_and_done)
    assert sum(recorder.fractions.sum() for recorder in recorders) == pytest.approx(len(requests) - instant)
    flown = sum(recorder.in_flight * recorder.window.length_s for recorder in recorders)
    assert flown == pytest.approx(sum(done - sent for sent, done in sent_and_done) / SECOND)


def test_an_error_is_counted_by_kind_and_in_no_percentile() -> None:
    """Those of the window apart from all."""
    recorder = recorded([(10, 0.001)])
    for kind, sent in (("reset", 9), ("reset", 11), ("status", 11), ("timeout", 13)):
        recorder.fail(kind, sent * SECOND, sent * SECOND, (sent + 2) * SECOND)
    recorder.fold()
    assert dict(recorder.error_kinds) == {"reset": 1, "status": 1}
    assert dict(recorder.totals.error_kinds) == {"reset": 2, "status": 1, "timeout": 1}
    assert (recorder.good, recorder.totals.errors, recorder.latency.count) == (1, 4, 1)
    assert recorder.in_flight == pytest.approx((0.001 + 1 + 1 + 1) / 2)


def test_an_open_load_has_three_histograms() -> None:
    """Response from the intended moment, service from the sent one, lateness of every arrival, dropped ones too."""
    recorder = Recorder(WINDOW)
    for intended, dispatched, sent, done in ((10, 10.001, 10.5, 10.6), (9.9, 9.9, 10.1, 10.2)):
        recorder.due(round(intended * SECOND), round(dispatched * SECOND))
        recorder.intended(round(intended * SECOND))
        recorder.sent(round(sent * SECOND))
        recorder.done(round(done * SECOND))
    recorder.due(11 * SECOND, 11 * SECOND + 2000)
    recorder.drop(11 * SECOND)
    recorder.drop(13 * SECOND)
    recorder.fold()
    assert (recorder.scheduled, recorder.dropped, recorder.good) == (2, 1, 1)
    assert recorder.latency.max == pytest.approx(600_000, rel=1e-3)
    assert recorder.service.max == pytest.approx(100_000, rel=1e-3)
    assert (recorder.lateness.count, recorder.lateness.percentile(50)) == (2, 2)
    assert recorder.fractions.sum() == pytest.approx(2)


def test_folding_early_or_late_shows_the_same() -> None:
    """Counts do not depend on when they are made, and stamps are not kept once they are."""
    requests = [(9 + n / 4000, (n % 97) / 50) for n in range(3 * FOLD_AT)]
    late = recorded(requests)
    early = Recorder(WINDOW)
    for sent, lasted in requests:
        early.sent(round(sent * SECOND))
        early.done(round((sent + lasted) * SECOND))
        early.fold(at_least=FOLD_AT)
        assert early.answers - early.totals.good < FOLD_AT
    early.fold()
    assert early.fractions.tolist() == pytest.approx(late.fractions.tolist())
    assert (early.latency.counts == late.latency.counts).all()
    assert early.in_flight == pytest.approx(late.in_flight)


def test_connections_opened_for_the_window_are_counted_apart() -> None:
    """Those before it are the slice's first ones."""
    recorder = Recorder(WINDOW)
    recorder.connect(9 * SECOND, again=False)
    recorder.connect(11 * SECOND, again=False)
    recorder.connect(11 * SECOND, again=True)
    assert (recorder.connects, recorder.reconnects) == (2, 1)
    assert (recorder.totals.connects, recorder.totals.reconnects) == (3, 1)


def judged(samples: list[tuple[int, int, int]], late_us: int = 0, response_us: int = 0) -> tuple[bool, str]:
    """Whether samples (now, running, waiting; nanoseconds) over a window leave the generator valid, and if not, why."""
    check = SelfCheck(GeneratorLimits())
    try:
        reads = iter(samples)
        check._read = lambda: next(reads)  # type: ignore[method-assign]
        check.start()
        for _ in samples[2:]:
            check.sample()
        check.finish()
        histograms = []
        for value in (late_us, response_us):
            histograms.append(Histogram())
            histograms[-1].record(np.array([value]))
        judgement = check.judge(*histograms)
        return judgement.valid, " ".join(judgement.reasons)
    finally:
        check.close()


def test_a_generator_that_is_itself_the_limit_says_so() -> None:
    """Its CPU over 85 % in any 250 ms, or runnable without a CPU for over 5 % of the window."""
    ms = 1_000_000
    assert judged([(0, 0, 0), (250 * ms, 200 * ms, 0), (500 * ms, 400 * ms, 20 * ms)]) == (True, "")
    valid, why = judged([(0, 0, 0), (250 * ms, 100 * ms, 0), (500 * ms, 320 * ms, 0)])
    assert not valid
    assert "88 % of a core" in why
    valid, why = judged([(0, 0, 0), (500 * ms, 100 * ms, 30 * ms)])
    assert not valid
    assert "waited for a CPU 6%" in why


def test_a_short_last_piece_joins_the_piece_before_it() -> None:
    """Two milliseconds at full CPU are not an overload; they join the piece before."""
    ms = 1_000_000
    assert judged([(0, 0, 0), (250 * ms, 100 * ms, 0), (500 * ms, 200 * ms, 0), (502 * ms, 202 * ms, 0)])[0]


@pytest.mark.parametrize(
    ("late_us", "response_us", "valid"), [(900, 100, True), (1500, 100, False), (1500, 8000, True)]
)
def test_lateness_is_judged_against_a_millisecond_and_the_response(
    late_us: int, response_us: int, *, valid: bool
) -> None:
    """Over 1 ms and over a quarter of the response time, both at p99."""
    is_valid, reasons = judged([(0, 0, 0), (250_000_000, 0, 0)], late_us, response_us)
    assert is_valid == valid
    assert ("arrivals late" in reasons) != valid


def test_the_real_check_reads_this_very_process() -> None:
    """A busy stretch is seen as CPU, and a collection as a pause."""
    import gc
    import time

    check = SelfCheck(GeneratorLimits())
    try:
        check.start()
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        gc.collect()
        check.finish()
        judgement = check.judge()
        assert judgement.cpu_percent > 0
        assert judgement.cpu_s > 0
        assert judgement.gc_pause_s > 0
        assert 0 <= judgement.waiting_fraction <= 1.5
    finally:
        check.close()
