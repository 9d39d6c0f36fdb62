"""Services whose capacity is known, on a machine with moods, under open load."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.judge.slo import parse
from harness.tune.candidates import Candidate, Service
from harness.tune.rate.asked import Asked, Offered, RateBlock
from harness.tune.trials import RateTrial
from tests.tune.tune_support import service

SLO = parse("p99<100ms")
MIB = 2**20


@dataclass(frozen=True)
class System:
    """A service as it really is, and what the lone worker made of it."""

    known: Service
    response_s: float
    cpu_s: float

    def slots(self, candidate: Candidate) -> float:
        """Requests in hand at once."""
        return math.inf if self.known.slots == "loop" else candidate.slots

    def capacity(self, candidate: Candidate) -> float:
        """The highest rate that holds: by chance some slots idle, and requests queue long before the CPU is full."""
        slots = self.slots(candidate)
        by_slots = slots / self.response_s * (1 - 0.5 / math.sqrt(slots)) if slots < math.inf else math.inf
        return min(by_slots, 0.85 * min(candidate.workers, self.known.cores) / self.cpu_s)

    def memory(self, candidate: Candidate) -> int:
        """Of a master, the workers and their threads."""
        return round((12 + 26 * candidate.workers + 0.06 * candidate.slots) * MIB)


def system(chance: np.random.Generator, kind: Any) -> System:
    """What the lone worker tells of the response is right within 15 %, of the CPU within a factor of 1.8."""
    response_s, cpu_s = chance.uniform(0.01, 0.06), chance.uniform(0.0005, 0.002)
    known = service(
        cores=int(chance.choice([1, 2, 4])),
        connections=1024,
        unloaded_s=response_s * chance.uniform(1, 1.15),
        cpu_s_per_request=cpu_s * chance.uniform(0.9, 1.8),
        slots=kind,
        slots_a_worker=1024 if kind == "loop" else 1,
        worker_bytes=38 * MIB,
    )
    return System(known, response_s, cpu_s)


@dataclass
class Machine:
    """It wanders by 4 %, loses a quarter of its speed in a block of ten, and stalls in three slices of a hundred."""

    chance: np.random.Generator

    def block(self, system: System, group: tuple[Candidate, ...], asked: Asked) -> RateBlock:
        """What a block shows."""
        speed = math.exp(self.chance.normal(0, 0.04)) * (0.75 if self.chance.random() < 0.1 else 1.0)
        took_s = sum(asked.slice_s + 1.4 + 0.45 * candidate.workers for candidate in group)
        return RateBlock(offered=tuple(self._offered(system, each, asked, speed) for each in group), took_s=took_s)

    def _offered(self, system: System, candidate: Candidate, asked: Asked, speed: float) -> Offered:
        over = asked.offered_rps / (system.capacity(candidate) * speed * math.exp(self.chance.normal(0, 0.02)))
        stalled = self.chance.random() < 0.03
        excess = 1.5 if stalled and over < 1 else 0.8 * over if over < 1 else 1 + 100 * (over - 1)
        cpus = asked.offered_rps * system.cpu_s / min(candidate.workers, system.known.cores)
        trial = trial_of(asked, excess, limit="server-cpu" if cpus > 0.8 else "worker-slots" if over > 1 else None)
        trial = replace(trial, cpu_s_per_request=system.cpu_s * math.exp(self.chance.normal(0, 0.05)))
        return Offered(candidate=candidate, trial=trial, memory_bytes=system.memory(candidate))


def trial_of(asked: Asked, excess: float, limit: str | None = None) -> RateTrial:
    """A trial that lost so many times what it may."""
    return RateTrial(
        rate_rps=asked.offered_rps,
        planned_s=asked.slice_s,
        start_s=0.0,
        took_s=asked.slice_s,
        outcome="held" if excess <= 1 else "exceeded",
        loss_ratio=0.01 * excess,
        excess=excess,
        objective="p99 < 100 ms",
        cause="late",
        p99_us=80_000 * excess,
        limit=limit if excess > 1 else None,
    )
