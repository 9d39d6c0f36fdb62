"""One phase of a block with several generators: the same warm-ups, rounds and slices that `engine.rounds` has with one.

A step of it, a warm-up or a slice:

1. Each generator that takes part computes its share of it, and says so.
2. The offsets of their clocks are measured.
3. All start at a moment that is far enough ahead.
4. Under closed load each says when its connections have had their first answers; when all have, the window opens at a
   moment that is far enough ahead. Under open load that moment follows from the start.
5. Each sends what it measured until it is acknowledged; what all measured becomes one slice.

An arm with fewer connections than there are generators is driven by the first ones. A generator that did not come has
no share of anything. Events and moments are those of the
master's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.spec import DrivenArm, Event, Slice, Spec, Totals, dump
from harness.spec.loads import Open
from loadtests.engine.generator import SECOND_NS, WARM_UP, EventName, Stopped, Timeline, timeline
from loadtests.engine.timer import monotonic_ns
from loadtests.several.clocks import Clock
from loadtests.several.crew import Crew, Lost
from loadtests.several.merge import Portion, Who, merged, totals
from loadtests.several.messages import Armed, Done, OpenWindow, Order, Prepare, Settled, StartAt, Stop, digest, versions

AHEAD_NS = 100_000_000
"""How far ahead a moment is that all are told: no message takes so long on a machine that can measure."""
_PATIENCE_S = 10.0
_DRAIN_S = 5.0
"""How long generators have to say what they sent, when the phase is stopped."""


@dataclass(frozen=True, slots=True)
class Step:
    """A warm-up or a slice that is about to start."""

    number: int
    """Of the step."""
    index: int
    """Of the arm."""
    round: int
    times: Timeline
    clocks: Mapping[int, Clock]
    """Of the generators that take part, by rank."""


class Together:
    """Runs a spec with a crew; `slices` and `totals` hold at any time what was measured so far."""

    def __init__(self, spec: Spec, emit: Callable[[Event], None], crew: Crew) -> None:
        """Raises `ValueError` for a spec that only one generator can drive."""
        if spec.stops or spec.calm or spec.fates:
            raise ValueError("a slice that may end early, by what becomes of each arrival, is driven by one generator")
        self._spec = spec
        self._emit = emit
        self._crew = crew
        self._responses_s = [arm.response_s for arm in spec.arms]
        self._totals: dict[int, tuple[Totals, ...]] = {}
        self._under_way: Step | None = None
        self.slices: list[Slice] = []

    def run(self) -> None:
        """Run the warm-ups, then the rounds; raises `Stopped` or `Lost`."""
        try:
            self._order()
            if self._spec.warmup_s > 0:
                for index in range(len(self._spec.arms)):
                    self._warm_up(index)
            for number, order in enumerate(self._spec.rounds):
                for index in order:
                    self.slices.append(self._slice(number, index))
        except Stopped as stopped:
            self._drain(str(stopped))
            raise

    def stop(self, reason: str) -> None:
        """End early: send no more, await what is under way for a second. Safe from any greenlet."""
        self._crew.interrupt(Stopped(reason))

    @property
    def totals(self) -> tuple[Totals, ...]:
        """All that was sent to each arm, uncounted parts included."""
        if not self._totals:
            return ()
        return tuple(
            totals([each[index] for each in self._totals.values()], response_s)
            for index, response_s in enumerate(self._responses_s)
        )

    def close(self) -> None:
        """Nothing is held: the crew goes on to the next phase."""

    def _order(self) -> None:
        text, step = dump(self._spec), self._crew.next_step()
        order = Order(step=step, text=text, digest=digest(text), versions=versions())
        self._armed(self._crew.ask(self._crew.ranks, order, Armed, step))

    def _armed(self, armed: Mapping[int, Armed]) -> None:
        for rank, each in armed.items():
            if each.error is not None:
                raise Lost(f"{self._crew.name(rank)}: {each.error}")

    def _prepared(self, index: int, number: int) -> Step:
        """A step that all who take part are armed for, and their clocks."""
        arm, response_s = self._spec.arms[index], self._responses_s[index]
        ranks = self._crew.ranks[: arm.load.connections]
        times = timeline(self._spec, arm, response_s)
        length_s = self._spec.warmup_s if number == WARM_UP else times.length_ns / SECOND_NS
        step = self._crew.next_step()
        prepare = Prepare(step=step, index=index, number=number, response_s=response_s, among=ranks)
        self._armed(self._crew.ask(ranks, prepare, Armed, step))
        clocks = {rank: self._crew.clock(rank, length_s) for rank in ranks}
        return Step(self._crew.next_step(), index, number, times, clocks)

    def _start(self, step: Step) -> int:
        start_ns = monotonic_ns() + AHEAD_NS
        self._under_way = step
        for rank, clock in step.clocks.items():
            self._crew.tell(rank, StartAt(step=step.number, at_ns=clock.there(start_ns)))
        self._event("started", step, start_ns)
        return start_ns

    def _warm_up(self, index: int) -> None:
        step = self._prepared(index, WARM_UP)
        self._start(step)
        longest_s = max(self._spec.warmup_s, self._spec.patience_s)
        done = self._done(step, longest_s)
        warm = [each.warm for each in done.values() if each.warm is not None]
        good, latency_ns = sum(each.good for each in warm), sum(each.latency_ns for each in warm)
        if self._responses_s[index] is None and good:
            self._responses_s[index] = latency_ns / good / SECOND_NS
        self._event("drained", step, monotonic_ns())

    def _slice(self, number: int, index: int) -> Slice:
        step, arm = self._prepared(index, number), self._spec.arms[index]
        start_ns = self._start(step)
        opens_ns = start_ns + step.times.opens_ns
        if not isinstance(arm.load, Open):
            longest_s = (AHEAD_NS + step.times.latest_ns) / SECOND_NS + _PATIENCE_S
            self._crew.answers(Settled, step.number, step.clocks, longest_s)
            opens_ns = max(opens_ns, monotonic_ns() + AHEAD_NS)
            for rank, clock in step.clocks.items():
                self._crew.tell(rank, OpenWindow(step=step.number, at_ns=clock.there(opens_ns)))
        closes_ns = opens_ns + step.times.length_ns
        self._crew.until(opens_ns, step.number)
        self._event("opened", step, opens_ns)
        self._crew.until(closes_ns, step.number)
        self._event("closed", step, closes_ns)
        done = self._done(step, step.times.after_ns / SECOND_NS)
        outcome = self._merged(arm, step, done, opens_ns)
        self._event("drained", step, monotonic_ns(), outcome.throughput_rps)
        return outcome

    def _done(self, step: Step, seconds: float) -> dict[int, Done]:
        """What the step came to, when load goes on for so long yet."""
        patience_s = seconds + self._spec.read_timeout_s + _PATIENCE_S
        done = self._crew.answers(Done, step.number, step.clocks, patience_s)
        self._crew.require(step.number)
        self._under_way = None
        self._totals |= {rank: each.totals for rank, each in done.items()}
        return done

    def _merged(self, arm: DrivenArm, step: Step, done: Mapping[int, Done], opens_ns: int) -> Slice:
        portions = [
            Portion(each.slice, each.part, step.clocks[rank])
            for rank, each in done.items()
            if each.slice is not None and each.part is not None
        ]
        if len(portions) < len(step.clocks):
            raise Lost("a generator gave no slice")
        stall_ns = arm.load.law.stall_ns(arm.load.rate_rps) if isinstance(arm.load, Open) and arm.load.rate_rps else 0
        try:
            return merged(portions, opens_ns, stall_ns, Who(tuple(rank + 1 for rank in done), self._crew.planned))
        except ValueError as error:
            raise Lost(str(error)) from error

    def _drain(self, reason: str) -> None:
        """Have all stop, and take in what they sent until then."""
        self._crew.calm()
        for rank in self._crew.ranks:
            self._crew.tell(rank, Stop(reason=reason))
        if self._under_way is not None:
            step = self._under_way
            ended = self._crew.last_words(step.number, step.clocks, _DRAIN_S)
            self._totals |= {rank: each.totals for rank, each in ended.items()}

    def _event(self, event: EventName, step: Step, at_ns: int, throughput_rps: float | None = None) -> None:
        arm = self._spec.arms[step.index].name
        self._emit(Event(event=event, arm=arm, round=step.round, at_ns=at_ns, throughput_rps=throughput_rps))
