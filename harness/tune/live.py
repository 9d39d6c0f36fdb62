"""What launches servers and offers loads for a session: blocks and trials as in any run, recorded as they end."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from harness.errors import LaunchError
from harness.judge.slo import Slo, held, worst
from harness.judge.validity import generator_cpu
from harness.record import Trial, Writer
from harness.subject.launch import launch, wait_settled
from harness.suite import Arm, Group, Open, own_words, slots
from harness.trial.bench import Bench, GroupState
from harness.trial.block import measure_block
from harness.trial.phase import Bounds, measure_phase, warm_up
from harness.trial.serving import Serving
from harness.tune.blocks import BlockOutcome, Measured
from harness.tune.candidates import Candidate, Service, ample
from harness.tune.most.usual import usual
from harness.tune.next_rate import Try, queue
from harness.tune.of_trial import measured, of_launch, tally
from harness.tune.rate.asked import Asked, Offered, RateBlock
from harness.tune.rate.standing import FAR
from harness.tune.room import room_bytes
from harness.tune.state import LoneWorker, Offer
from harness.tune.trials import RateTrial
from harness.tune.variants import Variant, VariantBlock, others

LONE_WORKER, SEARCH = "t0", "search"
"""Ids of arms that are no candidates; those are t1, t2, ..."""
VARIED = "-varied"
"""Stands in the ids of what was chosen as it is measured beside itself at other levels."""
OPENING = 0.25
"""Share of the search's first rate at which the connections of an open load are opened, each with a request."""
LAUNCH_TRIALS = 10
"""Trials of a search after which the server is launched afresh, so that no single launch decides."""


@dataclass(slots=True)
class Live:
    """Measures `arm` with other numbers of workers and threads, and records it."""

    arm: Arm
    bench: Bench
    writer: Writer
    slo: Slo | None = None
    """Of the open loads; without one, what is usual is taken of the lone worker."""
    memory_bytes: int | None = None
    """What a candidate may use; None: no limit was given."""
    fills: bool = True
    """Whether the closed load has as many connections as are no limit, whatever `arm` says."""
    _names: dict[Candidate, str] = field(default_factory=dict)
    _response_s: dict[str, float] = field(default_factory=dict)
    _groups: dict[tuple[str, ...], Group] = field(default_factory=dict)
    _number: int = 0
    """Of the next block or trial of the search: no two have the same."""

    def go_on(self, earlier: Sequence[Trial]) -> None:
        """Take over the arms of the sittings before, and number on from their trials."""
        for group in self.writer.info.plan.groups:
            self._groups[tuple(arm.id for arm in group.arms)] = group
            cells = {arm.id: arm.cell for arm in group.arms if not _apart(arm.id)}
            self._names |= {Candidate(cell.workers, cell.threads): name for name, cell in cells.items()}
        self._number = max((trial.block for trial in earlier), default=-1) + 1

    def lone_worker(self) -> LoneWorker:
        """Measure one worker under one connection; raises `LaunchError` when it gives no good answer."""
        alone = self._arm(LONE_WORKER, Candidate(1, self.arm.cell.threads)).over(1)
        (trial,) = self._measured((alone,))
        if trial.error is not None or trial.latency_us is None or trial.latency_us.mean is None:
            raise LaunchError(trial.error or f"one worker gave no good answer: {'; '.join(trial.reasons)}")
        cores, unloaded_s = len(self.bench.placement.server), trial.latency_us.mean / 1e6
        cpu_s = trial.cpu_s_per_request or 0.0
        if self.fills:
            self.arm = self.arm.over(ample(min(cores, self.arm.cell.cpus or cores), unloaded_s, cpu_s))
        service = Service(
            cores=cores,
            connections=self.arm.connections,
            unloaded_s=unloaded_s,
            cpu_s_per_request=cpu_s,
            slots=self.arm.server.slots,
            slots_a_worker=min(slots(alone), self.arm.connections),
            many_workers=self.arm.server.workers,
            quota=self.arm.cell.cpus,
            worker_bytes=trial.memory_bytes,
            memory_bytes=self.memory_bytes,
            room_bytes=room_bytes(),
        )
        self.slo = self.slo or usual(service)
        return LoneWorker(service=service, tally=tally(trial))

    def block(self, group: tuple[Candidate, ...]) -> BlockOutcome:
        """Launch `group` side by side and measure a block; candidates that failed are in it too."""
        began = time.monotonic()
        arms = {candidate: self._arm(self._name(candidate), candidate) for candidate in group}
        trials = {trial.arm: trial for trial in self._measured(tuple(arms.values()))}
        outcomes = tuple(measured(candidate, trials.get(arm.id)) for candidate, arm in arms.items())
        return BlockOutcome(measured=outcomes, took_s=time.monotonic() - began)

    def rate_block(self, group: tuple[Candidate, ...], asked: Asked) -> RateBlock:
        """Launch `group` side by side and offer each the same arrivals; candidates that failed are in it too."""
        began, slo = time.monotonic(), self.slo
        assert slo is not None  # noqa: S101 - a rate is asked for under objectives
        load = Open(connections=asked.connections, arrivals=self.bench.plan.arrivals)
        arms = {each: replace(self._arm(self._name(each), each), loads=(load,)) for each in group}
        noted = self._group(tuple(arms.values()))
        offered = replace(noted, arms=tuple(replace(a, loads=(load.offering(asked.offered_rps),)) for a in noted.arms))
        bench = replace(self.bench, plan=replace(self.bench.plan, open_slice_s=asked.slice_s))
        overload = bounded(slo, asked)
        self._number += 1
        trials = {}
        for trial in measure_block(bench, GroupState(offered), self._number - 1, overload=overload):
            self.writer.append(trial)
            trials[trial.arm] = trial
        return RateBlock(
            offered=tuple(self._held(each, asked, trials.get(arm.id)) for each, arm in arms.items()),
            took_s=time.monotonic() - began,
        )

    def variants(self, chosen: Candidate, connections: int | None) -> VariantBlock | None:
        """Launch `chosen` as it is and at other levels of what is for memory, and measure a block."""
        began, factors = time.monotonic(), self.bench.plan.factors
        base = self._arm(f"{self._name(chosen)}{VARIED}", chosen).over(connections or self.arm.connections)
        arms = [base]
        found = [Variant(factor="", level="", words="", measured=Measured(candidate=chosen))]
        for factor, level in others(base, factors):
            cell = base.cell.at(**{factor.name: level})
            own = own_words(factors, cell, base.server)
            arms.append(replace(base, id=f"{base.id}-{factor.name}-{level}", cell=cell, own=own))
            found.append(replace(found[0], factor=factor.name, level=level, words=factor.say(level)))
        if len(arms) == 1:
            return None
        trials = {trial.arm: trial for trial in self._measured(tuple(arms))}
        shown = (replace(v, measured=measured(chosen, trials.get(arm.id))) for v, arm in zip(found, arms, strict=True))
        return VariantBlock(candidate=chosen, variants=tuple(shown), took_s=time.monotonic() - began)

    def _held(self, candidate: Candidate, asked: Asked, trial: Trial | None) -> Offered:
        judged = self._judged(asked.offered_rps, asked.slice_s, trial)
        if trial is None:
            return Offered(candidate=candidate, trial=judged)
        return Offered(
            candidate=candidate,
            trial=judged,
            throughput_rps=trial.throughput_rps,
            memory_bytes=trial.memory_bytes,
            **of_launch(trial),
        )

    @contextmanager
    def searching(self, chosen: Candidate, seed_rps: float, connections: int) -> Iterator[Offer]:
        """Hand out what offers `chosen` one rate; it is launched with the first, and afresh after LAUNCH_TRIALS.

        It is also launched afresh when it, or a service beside it, has died.
        """
        searched = replace(self._arm(SEARCH, chosen), loads=(Open(connections=connections),))
        group = self._group((searched,))
        self._response_s[SEARCH] = connections / (OPENING * seed_rps)
        serving: dict[str, Serving] = {}
        began, launches, offered = time.monotonic(), 0, LAUNCH_TRIALS
        with contextlib.ExitStack() as launched:

            def offer(step: Try) -> RateTrial:
                nonlocal launches, offered
                healed = self.bench.services.heal()  # what was launched before knows the old address of a service
                if healed or step.afresh or offered >= LAUNCH_TRIALS or not serving[SEARCH].server.process.alive():
                    launched.close()
                    serving[SEARCH] = self._launched(group, launched)
                    launches, offered = launches + 1, 0
                offered += 1
                start = time.monotonic()
                trial = self._judged(step.rate_rps, step.up_to_s, self._offered(group, step, serving))
                took_s = time.monotonic() - start
                return replace(trial, start_s=start - began, took_s=took_s, launch=launches - 1)

            yield offer

    def _launched(self, group: Group, launched: contextlib.ExitStack) -> Serving:
        """The arm of `group`, which has only this one, launched and warmed up."""
        (arm,) = group.arms
        bench, log = self.bench, self.bench.logs / f"{arm.id}.log"
        server = launched.enter_context(
            launch(
                arm,
                bench.plan.factors,
                bench.services,
                cpus=bench.placement.server,
                log=log,
                key=f"/{arm.id}-{self._number}",
            )
        )
        first_answer_s = server.wait_ready()
        wait_settled([server])
        serving = Serving.of(server, first_answer_s)
        warm_up(bench, GroupState(group), self._number, {arm.id: serving})
        return serving

    def _offered(self, group: Group, step: Try, serving: dict[str, Serving]) -> Trial | None:
        (arm,) = group.arms
        driven = replace(group, arms=(replace(arm, loads=(arm.load("open").offering(step.rate_rps),)),))
        state = GroupState(driven, response_s=self._response_s)
        bench = replace(self.bench, plan=replace(self.bench.plan, open_slice_s=step.up_to_s))
        self._number += 1
        overload = Bounds(queue=step.queue, stops=step.stops)
        for trial in measure_phase(bench, state, self._number - 1, "open", serving, overload):
            self.writer.append(trial)
            return trial
        return None

    def _judged(self, rate_rps: float, planned_s: float, trial: Trial | None) -> RateTrial:
        base = RateTrial(rate_rps=rate_rps, planned_s=planned_s, start_s=0.0, took_s=0.0, outcome="invalid")
        if trial is None or trial.error is not None or self.slo is None:
            return replace(base, reasons=((trial.error if trial else None) or "nothing was counted",))
        losses = self.slo.evaluate(tally(trial))
        missed, all_held = worst(losses), held(losses)
        saturated = not all_held and any(generator_cpu(trial, self.bench.plan.thresholds))
        # Objectives that held although something disturbed the trial do hold; missed ones may be its fault.
        reasons = () if all_held else trial.reasons
        return replace(
            base,
            outcome="held" if all_held else "invalid" if reasons else "exceeded",
            loss_ratio=missed.loss_ratio,
            excess=missed.excess,
            objective=missed.objective.text,
            cause=missed.cause,
            p99_us=trial.latency_us.p99 if trial.latency_us else None,
            stalls=sum(row.stalls or 0 for row in trial.slices),
            stalled_s=sum(row.stalled_s or 0.0 for row in trial.slices),
            lasted_s=sum(row.length_s for row in trial.slices),
            cpu_s_per_request=trial.cpu_s_per_request,
            limit=trial.limit,
            reasons=reasons,
            saturated=saturated,
        )

    def _measured(self, arms: tuple[Arm, ...]) -> list[Trial]:
        state = GroupState(self._group(arms), response_s=self._response_s)
        self._number += 1
        trials = []
        for trial in measure_block(self.bench, state, self._number - 1):
            self.writer.append(trial)
            trials.append(trial)
        return trials

    def _group(self, arms: tuple[Arm, ...]) -> Group:
        """The group of those arms; a new group is noted in run.json before it is measured."""
        key = tuple(arm.id for arm in arms)
        if key not in self._groups:
            self._groups[key] = Group(
                id=f"g{len(self._groups) + 1}",
                scenario=arms[0].cell.scenario,
                arms=arms,
                pairs=(),
            )
            self.writer.note_plan(replace(self.writer.info.plan, groups=tuple(self._groups.values())))
        return self._groups[key]

    def _name(self, candidate: Candidate) -> str:
        """The id of a candidate's arm, the same in all blocks."""
        return self._names.setdefault(candidate, f"t{len(self._names) + 1}")

    def _arm(self, name: str, candidate: Candidate) -> Arm:
        cell = replace(self.arm.cell, workers=candidate.workers, threads=candidate.threads)
        own = own_words(self.bench.plan.factors, cell, self.arm.server)
        return replace(self.arm, id=name, cell=cell, own=own)


def _apart(arm: str) -> bool:
    """Whether the arm of that id is no candidate."""
    return arm in (LONE_WORKER, SEARCH) or VARIED in arm


def bounded(slo: Slo, asked: Asked) -> Bounds:
    """A slice ends when it has lost so much that one vote decides."""
    arrivals = asked.offered_rps * asked.slice_s
    stops = ((each.limit_us, math.ceil(FAR * each.loss_goal * arrivals)) for each in slo.objectives)
    return Bounds(queue=queue(slo, asked.offered_rps), stops=tuple(stops))
