"""Several generators' slices become one, in which nothing is lost and nothing counts twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.spec import DrivenArm, GeneratorLimits, OfRequest, Request, Slice, Totals
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed, Open
from loadtests.engine.closed import ClosedDriver
from loadtests.engine.driver import Driver
from loadtests.engine.exchange import Exchange
from loadtests.engine.open import OpenDriver
from loadtests.engine.outcome import measured, part
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import Recorder, Window
from loadtests.engine.selfcheck import SelfCheck
from loadtests.several.clocks import OURS, Clock
from loadtests.several.merge import Portion, merged, totals

MS = 1_000_000
OPENS = 500 * MS
WINDOW = Window(OPENS, OPENS + 1000 * MS)
STALL = 30 * MS
ADDED = ("requests", "errors", "error_kinds", "connects", "reconnects", "scheduled", "done", "dropped", "stalls")
MEASURED = (
    *("good", "throughput_rps", "half_rps", "in_flight", "mean_latency_us", "offered_rps", "stalled_s"),
    *("latency", "service", "lateness", "length_s", "start_ns"),
)


@dataclass(frozen=True)
class Arrival:
    """What became of an arrival, in milliseconds; `kind` None is a good answer, "dropped" is never sent."""

    intended: int
    wait: int
    took: int
    kind: str | None
    rank: int
    reconnects: bool


ARRIVALS = st.lists(
    st.builds(
        Arrival,
        intended=st.integers(400, 1600),
        wait=st.integers(0, 50),
        took=st.integers(0, 120),
        kind=st.sampled_from([None, None, None, None, "status", "timeout", "dropped"]),
        rank=st.integers(0, 7),
        reconnects=st.booleans(),
    ),
    max_size=60,
)


class Bench:
    """What drivers need that never send anything."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.exchange = Exchange(Request(), "127.0.0.1", 9, connect_timeout_s=1, read_timeout_s=1)
        self.check = SelfCheck(GeneratorLimits())
        self.check.start()
        self.check.finish()

    def opened(self, arrivals: Sequence[Arrival], *, fold: bool = True, clock: Clock = OURS) -> Portion:
        """What a generator shows that took these arrivals and whose clock is that one."""
        window = Window(clock.there(WINDOW.start_ns), clock.there(WINDOW.end_ns))
        recorder = Recorder(window, stall_ns=STALL)
        load = Open(connections=2, rate_rps=100.0)
        for each in sorted(arrivals, key=lambda each: each.intended + each.wait + each.took):
            intended, sent = clock.there(each.intended * MS), clock.there((each.intended + each.wait) * MS)
            recorder.due(intended, sent)
            recorder.connect(sent, again=each.reconnects)
            if each.kind is None:
                recorder.intended(intended)
                recorder.sent(sent)
                recorder.done(sent + each.took * MS)
            elif each.kind == "dropped":
                recorder.drop(intended)
            else:
                recorder.fail(each.kind, intended, sent, sent + each.took * MS)
            if fold:
                recorder.fold(at_least=5)
        recorder.fold()
        driver = OpenDriver(self.exchange, self.reactor, recorder, load, iter(()))
        return self._portion(driver, DrivenArm(name="a", port=9, request=Request(), load=load), clock)

    def closed(self, answers: Sequence[int]) -> Portion:
        """What a generator shows whose connections had so many answers."""
        driver = ClosedDriver(self.exchange, self.reactor, Recorder(WINDOW), len(answers))
        for number, (connection, count) in enumerate(zip(driver.connections, answers, strict=True)):
            connection.ports.append((number, count))
        load = Closed(connections=len(answers))
        return self._portion(driver, DrivenArm(name="a", port=9, request=Request(), load=load), OURS)

    def _portion(self, driver: Driver, arm: DrivenArm, clock: Clock) -> Portion:
        return Portion(measured(arm, 0, driver, self.check, histograms=True), part(driver), clock)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One for all: nothing is sent."""
    made = Bench()
    yield made
    made.check.close()
    made.reactor.close()


@pytest.mark.parametrize("of", [1, 2, 4, 8])
@settings(max_examples=40)
@given(arrivals=ARRIVALS, apart_ms=st.integers(-(10**9), 10**9))
def test_what_several_measured_is_what_one_would_have(
    bench: Bench, of: int, arrivals: list[Arrival], apart_ms: int
) -> None:
    """However the arrivals are split, and however far the clocks are apart."""
    alone = bench.opened(arrivals, fold=False).slice
    clocks = [Clock(offset_ns=rank * apart_ms * MS, bound_ns=MS) for rank in range(of)]
    portions = [
        bench.opened([each for each in arrivals if each.rank % of == rank], clock=clock)
        for rank, clock in enumerate(clocks)
    ]
    together = merged(portions, OPENS, STALL)
    for name in ADDED:
        assert getattr(together, name) == getattr(alone, name), name
    for name in MEASURED:
        one, several = getattr(alone, name), getattr(together, name)
        assert several == (one if isinstance(one, str | None) else pytest.approx(one)), name
    assert [share.generator for share in together.shares] == list(range(1, of + 1))
    assert sum(share.requests for share in together.shares) == alone.requests
    assert sum(share.connections for share in together.shares) == 2 * of


@given(answers=st.lists(st.lists(st.integers(0, 500), min_size=1, max_size=4), min_size=1, max_size=8))
def test_connections_starve_by_the_share_of_all(bench: Bench, answers: list[list[int]]) -> None:
    """Not by that of their own generator."""
    together = merged([bench.closed(each) for each in answers], OPENS, 0)
    assert together.starved == bench.closed([count for each in answers for count in each]).slice.starved


def test_a_stall_of_one_generator_alone_is_none(bench: Bench) -> None:
    """The server answered the other meanwhile; and one that both saw counts once."""
    answers = {0: (600, 700, 900), 1: (610, 660, 690, 720, 740, 895)}
    portions = [
        bench.opened([Arrival(at, 0, 0, None, rank, reconnects=False) for at in moments])
        for rank, moments in answers.items()
    ]
    together = merged(portions, OPENS, 100 * MS)
    assert [each.slice.stalls for each in portions] == [2, 4]
    assert together.stalls == 1
    assert together.stalled_s == pytest.approx(0.155)


def changed(portion: Portion, **fields: object) -> Portion:
    """The portion with other fields of its slice."""
    return replace(portion, slice=replace(portion.slice, **fields))  # type: ignore[arg-type]


def test_a_port_that_clients_of_two_machines_have_is_nobodys(bench: Bench) -> None:
    """Which worker held which of the two connections cannot be told; their answers count all the same."""
    one = changed(bench.closed([3, 4]), ports=((40001, 3), (40002, 4), (40002, 1)))
    two = changed(bench.closed([5, 6]), ports=((40001, 5), (40003, 6)))
    assert merged([one, two], OPENS, 0).ports == ((40002, 4), (40002, 1), (40003, 6))


def test_windows_that_are_not_one_are_refused_by_name(bench: Bench) -> None:
    """By their moment, and by what was measured in them."""
    one = bench.opened([])
    late = changed(one, start_ns=OPENS + 3 * MS)
    with pytest.raises(ValueError, match=r"window of generator 2 of 2 opened \+3\.000 ms beside"):
        merged([one, late], OPENS, STALL)
    with pytest.raises(ValueError, match="generator 2 of 2 measured another slice: a, round 7, 1 s"):
        merged([one, changed(one, round=7)], OPENS, STALL)


def test_one_that_may_not_be_believed_spoils_the_slice_by_name(bench: Bench) -> None:
    """Self-checks: all must hold, and of each figure the worst is told."""
    one = bench.opened([])
    check = one.slice.generator
    busy = changed(
        one, generator=type(check)(cpu_percent=99.0, waiting_fraction=0.2, cpu_s=0.25, valid=False, reasons=("busy",))
    )
    together: Slice = merged([one, busy], OPENS, STALL)
    assert not together.generator.valid
    assert together.generator.reasons == ("generator 2 of 2: busy",)
    assert together.generator.cpu_percent == 99.0
    assert together.generator.waiting_fraction == 0.2
    assert together.shares[1].cpu_percent == 99.0
    assert together.shares[1].cpu_s == 0.25
    assert together.generator.cpu_s == 0.25 + check.cpu_s


def test_what_was_sent_in_all_adds_up() -> None:
    """Uncounted parts included."""
    parts = [
        Totals(
            arm="a", attempts=n, good=n - 1, errors=1, error_kinds={"reset": 1}, connects=n, reconnects=0, response_s=9
        )
        for n in (5, 7)
    ]
    assert totals(parts, 0.25) == Totals(
        arm="a", attempts=12, good=10, errors=2, error_kinds={"reset": 2}, connects=12, reconnects=0, response_s=0.25
    )


def test_the_requests_of_a_mix_add_up_by_name(bench: Bench) -> None:
    """With their histograms."""
    fast, slow = Histogram(), Histogram()
    fast.record([100, 200])
    slow.record([5000])

    def requests(count: int, latency: Histogram) -> OfRequest:
        return OfRequest(name="list", requests=count, good=count - 1.5, errors=1, latency=latency.encode())

    one, two = (changed(bench.opened([]), by_request=(each,)) for each in (requests(3, fast), requests(2, slow)))
    (together,) = merged([one, two], OPENS, STALL).by_request
    assert (together.name, together.requests, together.good, together.errors) == ("list", 5, 2.0, 2)
    assert together.latency == Histogram.merged([fast, slow]).encode()
