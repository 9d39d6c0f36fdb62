"""How many workers and threads are worth trying; pure.

A slot holds one request. Up to the knee throughput grows with every slot; beyond it more slots only wait. The knee is
about min(connections, the server's CPUs x the unloaded response time / the CPU time of a request) requests in hand at
once (operational bounds: P. J. Denning and J. P. Buzen, Computing Surveys 10 (1978), 225-261). Candidates are a ladder
up to the knee and just past it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from harness.strict import STRICT

FACTOR = 1.5
"""Ratio of neighbours on the ladder, about."""
PLATEAU = 1.2
"""Times the slots of a candidate that must have been tried to say that more bring nothing."""
GROUP = 8
"""Arms that are measured together at most."""
MOST_THREADS = 512
LEAST_POOL, USUAL_POOL, MOST_POOL = 64, 256, 1024
"""Connections of an open load: the least, the usual and the most."""
LEAST_AMPLE, MOST_AMPLE, AMPLE = 32, 256, 4.0
"""Connections of a closed load that fills whatever is measured: the least, the most, and for each request that would
be in hand if the CPU were used up by requests as dear as the lone worker's, which are dearer than under load."""
SPARE = 1.25
"""Times the connections that are busy when responses take as long as unloaded."""
SCARCE = 2.0
"""Knee over the slots of a candidate, above which it is left out first when time is short."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A number of workers, and of threads in each; ordered by what they cost, memory before all."""

    __pydantic_config__ = STRICT

    workers: int
    threads: int = 1

    @property
    def slots(self) -> int:
        """Requests in hand at once, where each request takes a worker or a thread."""
        return self.workers * self.threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is known of target, server and load before candidates are compared, from one worker under one connection."""

    __pydantic_config__ = STRICT

    cores: int
    """CPUs that the server may use, by affinity and quota."""
    connections: int
    """Of the closed load under which candidates are compared."""
    unloaded_s: float
    """Response time under one connection."""
    cpu_s_per_request: float
    slots: Literal["one", "threads", "loop"]
    """How a worker holds requests: one at a time, one a thread, or many in an event loop."""
    slots_a_worker: float = 1.0
    """Requests that a worker can have in hand; infinite for a loop that never blocks. Not used for threads."""
    quota: float | None = None
    """CPUs of its pod; None where it runs in none."""
    many_workers: bool = True
    """Whether the server can have more than one."""
    worker_bytes: int | None = None
    """Memory of the one worker, its master included: at least what each further worker costs."""
    memory_bytes: int | None = None
    """What a candidate may use; None: no limit was given."""
    room_bytes: int | None = None
    """What the machine has left for all candidates of a group; None: not known."""

    @property
    def cpus(self) -> float:
        """CPUs' worth of time that it can have."""
        return min(self.cores, self.quota or math.inf)

    @property
    def busy(self) -> int:
        """Workers that can use all of that up: each runs Python on one CPU at a time."""
        return max(1, math.ceil(self.cpus))

    @property
    def knee(self) -> int:
        """Requests in hand beyond which nothing is gained."""
        if self.cpu_s_per_request <= 0:
            return self.connections
        return max(1, min(self.connections, math.ceil(self.cpus * self.unloaded_s / self.cpu_s_per_request - 1e-9)))

    @property
    def naive(self) -> int:
        """Workers by the rule of thumb, 2C + 1, of the cores that it can use up."""
        return 2 * self.busy + 1

    def response_s(self, candidate: Candidate) -> float:
        """About how many seconds a response takes under the load, as slots and CPU bound it; for planning only."""
        by_cpu = self.cpu_s_per_request / min(self.cpus, candidate.workers)
        return max(self.unloaded_s, self.connections * max(self.unloaded_s / self._slots(candidate), by_cpu))

    def most_rps(self, candidate: Candidate, cpu_s_per_request: float) -> float:
        """The throughput that slots and CPU allow when there are connections enough; for planning only."""
        by_cpu = min(self.cpus, candidate.workers) / cpu_s_per_request
        return min(by_cpu, self._slots(candidate) / self.unloaded_s)

    def pool(self, candidate: Candidate, rps: float) -> int:
        """Connections for an open load of about `rps`: SPARE times what Little's law asks for, but few for few slots.

        Not more, because each connection costs the server something, and a service that is quick enough needs no more.
        """
        usual = min(USUAL_POOL, 2 * self._slots(candidate))
        return round(min(MOST_POOL, max(LEAST_POOL, usual, SPARE * rps * self.unloaded_s)))

    def _slots(self, candidate: Candidate) -> float:
        """Requests in hand at once; infinite where a worker can hold as many as there are connections."""
        if self.slots != "loop":
            return candidate.slots
        return candidate.workers * self.slots_a_worker if self.slots_a_worker < self.connections else math.inf

    def fits(self, candidate: Candidate) -> bool:
        """Whether the candidate's memory is within what it may use, as far as one worker tells."""
        return _within(candidate.workers, self.worker_bytes, self.memory_bytes)

    def together(self, group: Sequence[Candidate]) -> bool:
        """Whether `group` can run side by side: at most GROUP candidates, in the memory that the machine has left."""
        workers = sum(candidate.workers for candidate in group)
        return len(group) <= GROUP and _within(workers, self.worker_bytes, self.room_bytes)


def ample(cpus: float, unloaded_s: float, cpu_s_per_request: float) -> int:
    """Connections of a closed load that are no limit, so that the service decides which settings are best."""
    if cpu_s_per_request <= 0:
        return MOST_AMPLE
    return round(min(MOST_AMPLE, max(LEAST_AMPLE, AMPLE * cpus * unloaded_s / cpu_s_per_request)))


def _within(workers: int, worker_bytes: int | None, limit_bytes: int | None) -> bool:
    return worker_bytes is None or limit_bytes is None or workers * worker_bytes <= limit_bytes


def ladder(knee: int) -> tuple[int, ...]:
    """Steps of about FACTOR from 1 to the first that lies so far past `knee` that a plateau shows."""
    steps = [1]
    while steps[-1] <= knee or steps[-1] < knee * PLATEAU:
        steps.append(math.ceil(steps[-1] * FACTOR))
    return tuple(steps)


def candidates(service: Service) -> tuple[Candidate, ...]:
    """The candidates that are tried first, rising; never none: the smallest is tried whatever memory it takes."""
    if service.slots == "threads":
        every = set(_grid(service))
    else:
        every = {Candidate(workers) for workers in _worker_counts(service)} if service.many_workers else {Candidate(1)}
    fitting = sorted(candidate for candidate in every if service.fits(candidate))
    return tuple(fitting) or (min(every),)


def _worker_counts(service: Service) -> set[int]:
    """The ladder, the knee itself, and 2C + 1; a worker runs Python on one core, so C of them can always be used."""
    knee = max(math.ceil(service.knee / service.slots_a_worker), min(service.busy, service.connections))
    return {*ladder(knee), knee, service.naive}


def _grid(service: Service) -> Iterable[Candidate]:
    """Workers as the cores ask for; threads so that all slots come to the knee, to half as much again, or to less."""
    for workers in sorted({*ladder(service.busy), service.naive}) if service.many_workers else [1]:
        shares = (1.0, FACTOR) if workers > 1 else (1.0, FACTOR, 1 / FACTOR, 1 / FACTOR**2)
        for share in shares:
            yield Candidate(workers, _threads(service.knee * share, workers))


def _threads(slots: float, workers: int) -> int:
    return min(max(1, math.ceil(slots / workers - 1e-9)), MOST_THREADS)


def groups(service: Service, every: Sequence[Candidate], reference: Candidate) -> tuple[tuple[Candidate, ...], ...]:
    """All candidates in groups that can run side by side; each has the reference, so that one scale holds for all."""
    others = [candidate for candidate in every if candidate != reference]
    even = math.ceil(len(others) / math.ceil(len(others) / (GROUP - 1))) if others else 0
    made: list[list[Candidate]] = [[reference]]
    for candidate in others:
        if len(made[-1]) > even or not service.together([*made[-1], candidate]):
            made.append([reference])
        made[-1].append(candidate)
    return tuple(tuple(sorted(group)) for group in made if len(group) > 1 or not others)


def nearest(every: Sequence[Candidate], slots: int) -> Candidate:
    """The candidate whose slots are nearest to `slots`: the reference of all groups, for it is likely to be good."""
    return min(every, key=lambda candidate: (abs(math.log(candidate.slots / slots)), candidate))


def hopeful(service: Service, every: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates whose slots can do half of what the knee does, for when time is short.

    A slot answers at most once in an unloaded response time, so a candidate with fewer slots than half of the knee
    (see SCARCE) cannot do half.
    """
    if service.slots == "loop":
        return tuple(every)
    return tuple(candidate for candidate in every if candidate.slots * SCARCE >= service.knee) or tuple(every)


def thinned(every: Sequence[Candidate], most: int, keep: Candidate) -> tuple[Candidate, ...]:
    """At most `most` candidates, evenly spread; the first, the last and `keep` are among them where `most` allows."""
    if len(every) <= most:
        return tuple(every)
    evenly = {every[round(index * (len(every) - 1) / max(1, most - 2))] for index in range(most - 1)}
    return tuple(sorted({keep, *evenly}))[: max(most, 1)]


def refinements(service: Service, known: Iterable[Candidate], good: Candidate) -> tuple[Candidate, ...]:
    """The candidates half-way between `good` and its neighbours among `known`, in workers and in threads."""
    tried = set(known)
    threads = sorted(candidate.threads for candidate in tried if candidate.workers == good.workers)
    between = {Candidate(good.workers, half_way) for half_way in _beside(threads, good.threads)}
    if service.many_workers:
        workers = sorted({candidate.workers for candidate in tried})
        between |= {_scaled(good, half_way) for half_way in _beside(workers, good.workers)}
    return tuple(sorted(candidate for candidate in between - tried if service.fits(candidate)))


def further(service: Service, known: Iterable[Candidate], good: Candidate) -> tuple[Candidate, ...]:
    """One step beyond `good`, for when no larger candidate was tried and throughput may still grow.

    Where slots are threads, the step is also tried with fewer workers, because workers are what costs memory.
    """
    tried = set(known)
    beyond = {Candidate(math.ceil(good.workers * FACTOR), good.threads)}
    if service.slots == "threads":
        fewer = {candidate.workers for candidate in tried if candidate.workers <= good.workers}
        beyond = {Candidate(workers, _threads(good.slots * FACTOR, workers)) for workers in fewer}
    most = service.connections * FACTOR
    fitting = (candidate for candidate in beyond - tried if candidate.slots <= most and service.fits(candidate))
    return tuple(sorted(fitting))


def _beside(values: Sequence[int], value: int) -> set[int]:
    """The values half-way, on a logarithmic scale, between `value` and its neighbours among rising `values`."""
    middles = set()
    for low, high in pairwise(sorted({*values})):
        if value in (low, high) and high - low > 1:
            middles.add(min(max(round(math.sqrt(low * high)), low + 1), high - 1))
    return middles


def _scaled(good: Candidate, workers: int) -> Candidate:
    """Another number of workers with about the same slots."""
    return Candidate(workers, _threads(good.slots, workers)) if good.threads > 1 else Candidate(workers)
