"""How many workers and threads are worth trying; pure.

Below the knee throughput grows with every slot, beyond it slots only wait: about min(connections, the server's CPU
budget x the unloaded response time / the CPU a request) requests can be in hand at once (operational bounds: P. J.
Denning and J. P. Buzen, Computing Surveys 10 (1978), 225-261). Candidates are a ladder up to the knee and just past it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from harness.strict import STRICT

FACTOR = 1.5
PLATEAU = 1.2
"""How far beyond a candidate one must have looked to say that more bring nothing."""
GROUP = 8
"""Arms that are measured together at most."""
MOST_THREADS = 512
LEAST_POOL, USUAL_POOL, MOST_POOL = 64, 256, 1024
"""Connections of an open load."""
SPARE = 1.25
"""Times the connections that are busy when responses take as long as unloaded."""
SCARCE = 2.0
"""Times as many slots as a candidate has that the knee needs, from which it is the first to be left out."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A number of workers, and of threads in each; ordered by what they cost, memory before all."""

    __pydantic_config__ = STRICT

    workers: int
    threads: int = 1

    @property
    def slots(self) -> int:
        """Requests in hand at once, where each takes a worker or a thread."""
        return self.workers * self.threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is known of target, server and load before candidates are compared: one probe of one worker tells it."""

    __pydantic_config__ = STRICT

    cores: int
    """CPUs that the server may use, by affinity and quota."""
    connections: int
    unloaded_s: float
    """Response time of one connection."""
    cpu_s_per_request: float
    slots: Literal["one", "threads", "loop"]
    slots_a_worker: float = 1.0
    """Requests that a worker can have in hand; infinite for a loop that never blocks. Not used for threads."""
    many_workers: bool = True
    """Whether the server can have more than one."""
    worker_bytes: int | None = None
    """Memory of the probe's one worker, its master included: at least what each further one costs."""
    memory_bytes: int | None = None
    """What a candidate may use."""
    room_bytes: int | None = None
    """What the machine has left for all the candidates of a group."""

    @property
    def knee(self) -> int:
        """Requests in hand beyond which nothing is gained."""
        if self.cpu_s_per_request <= 0:
            return self.connections
        return max(1, min(self.connections, math.ceil(self.cores * self.unloaded_s / self.cpu_s_per_request - 1e-9)))

    @property
    def naive(self) -> int:
        """Workers by the rule of thumb, 2C + 1."""
        return 2 * self.cores + 1

    def response_s(self, candidate: Candidate) -> float:
        """About how long a response takes under the load: as slow as slots or CPU make it, for planning only."""
        by_cpu = self.cpu_s_per_request / max(1, min(self.cores, candidate.workers))
        return max(self.unloaded_s, self.connections * max(self.unloaded_s / self._slots(candidate), by_cpu))

    def most_rps(self, candidate: Candidate, cpu_s_per_request: float) -> float:
        """What slots and CPU allow when there are connections enough, for planning only."""
        by_cpu = max(1, min(self.cores, candidate.workers)) / cpu_s_per_request
        return min(by_cpu, self._slots(candidate) / self.unloaded_s)

    def pool(self, candidate: Candidate, rps: float) -> int:
        """Connections for an open load of about `rps`: SPARE times what Little's law asks for, few for few slots.

        No more than that: each costs a server, and users of a service that is quick enough need no more.
        """
        usual = min(USUAL_POOL, 2 * self._slots(candidate))
        return round(min(MOST_POOL, max(LEAST_POOL, usual, SPARE * rps * self.unloaded_s)))

    def _slots(self, candidate: Candidate) -> float:
        """Requests in hand at once; infinite where not even the probe's load came near a bound."""
        if self.slots != "loop":
            return candidate.slots
        return candidate.workers * self.slots_a_worker if self.slots_a_worker < self.connections else math.inf

    def fits(self, candidate: Candidate) -> bool:
        """Whether the candidate's memory is within what it may use, as far as the probe can tell."""
        return _within(candidate.workers, self.worker_bytes, self.memory_bytes)

    def together(self, some: Iterable[Candidate]) -> bool:
        """Whether `some` can run side by side: at most GROUP, and all of them in the room there is."""
        each = list(some)
        return len(each) <= GROUP and _within(sum(one.workers for one in each), self.worker_bytes, self.room_bytes)


def _within(workers: int, each: int | None, limit: int | None) -> bool:
    return each is None or limit is None or workers * each <= limit


def ladder(upto: int) -> tuple[int, ...]:
    """Steps of about FACTOR from 1 to the first that is past `upto` by enough to show it."""
    steps = [1]
    while steps[-1] <= upto or steps[-1] < upto * PLATEAU:
        steps.append(math.ceil(steps[-1] * FACTOR))
    return tuple(steps)


def candidates(service: Service) -> tuple[Candidate, ...]:
    """What is tried first, rising. Raises nothing: one worker is always tried, whatever it costs."""
    if service.slots == "threads":
        found = set(_grid(service))
    else:
        found = {Candidate(workers) for workers in _worker_counts(service)} if service.many_workers else {Candidate(1)}
    fitting = sorted(one for one in found if service.fits(one))
    return tuple(fitting) or (min(found),)


def _worker_counts(service: Service) -> set[int]:
    """The ladder, the knee itself, and 2C + 1. Each worker runs Python on one core, so C can always be used."""
    knee = max(math.ceil(service.knee / service.slots_a_worker), min(service.cores, service.connections))
    return {*ladder(knee), knee, service.naive}


def _grid(service: Service) -> Iterable[Candidate]:
    """Workers as the cores ask for; threads so that all the slots come to the knee, half as much again, or less."""
    for workers in sorted({*ladder(service.cores), service.naive}) if service.many_workers else [1]:
        shares = (1.0, FACTOR) if workers > 1 else (1.0, FACTOR, 1 / FACTOR, 1 / FACTOR**2)
        for share in shares:
            yield Candidate(workers, _threads(service.knee * share, workers))


def _threads(slots: float, workers: int) -> int:
    return min(max(1, math.ceil(slots / workers - 1e-9)), MOST_THREADS)


def groups(service: Service, found: Sequence[Candidate], reference: Candidate) -> tuple[tuple[Candidate, ...], ...]:
    """`found` in groups that fit together and all have the reference, so that one scale holds for all of them."""
    others = [one for one in found if one != reference]
    even = math.ceil(len(others) / math.ceil(len(others) / (GROUP - 1))) if others else 0
    made: list[list[Candidate]] = [[reference]]
    for one in others:
        if len(made[-1]) > even or not service.together([*made[-1], one]):
            made.append([reference])
        made[-1].append(one)
    return tuple(tuple(sorted(group)) for group in made if len(group) > 1 or not others)


def nearest(found: Sequence[Candidate], slots: int) -> Candidate:
    """The candidate whose slots are nearest to `slots`: the reference of all groups, for it is likely to be good."""
    return min(found, key=lambda one: (abs(math.log(one.slots / slots)), one))


def hopeful(service: Service, found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Without those whose slots are few and slow, for when time is short: what they can do is bounded by law.

    A slot answers at most once an unloaded response time, so one in SCARCE of the knee has no more than that share.
    """
    if service.slots == "loop":
        return tuple(found)
    return tuple(one for one in found if one.slots * SCARCE >= service.knee) or tuple(found)


def thinned(found: Sequence[Candidate], most: int, keep: Candidate) -> tuple[Candidate, ...]:
    """At most `most` of them, evenly, with the first, the last and `keep` among them as far as that goes."""
    if len(found) <= most:
        return tuple(found)
    evenly = {found[round(at * (len(found) - 1) / max(1, most - 2))] for at in range(most - 1)}
    return tuple(sorted({keep, *evenly}))[: max(most, 1)]


def refinements(service: Service, known: Iterable[Candidate], good: Candidate) -> tuple[Candidate, ...]:
    """What lies half-way between `good` and its neighbours, in workers and in threads."""
    tried = set(known)
    found: set[Candidate] = set()
    row = sorted(one.threads for one in tried if one.workers == good.workers)
    found |= {Candidate(good.workers, threads) for threads in _beside(row, good.threads)}
    if service.many_workers:
        found |= {_scaled(good, workers) for workers in _beside(sorted({one.workers for one in tried}), good.workers)}
    return tuple(sorted(one for one in found - tried if service.fits(one)))


def further(service: Service, known: Iterable[Candidate], good: Candidate) -> tuple[Candidate, ...]:
    """One step beyond `good`, for when it is the last one tried and still better than the one before.

    Slots that are threads come in fewer workers too, for workers are what costs memory.
    """
    tried = set(known)
    beyond = {Candidate(math.ceil(good.workers * FACTOR), good.threads)}
    if service.slots == "threads":
        fewer = {one.workers for one in tried if one.workers <= good.workers}
        beyond = {Candidate(workers, _threads(good.slots * FACTOR, workers)) for workers in fewer}
    most = service.connections * FACTOR
    return tuple(sorted(one for one in beyond - tried if one.slots <= most and service.fits(one)))


def _beside(values: Sequence[int], value: int) -> set[int]:
    """Half-way, on a logarithmic scale, to the neighbours of `value` among rising `values`."""
    middles = set()
    for low, high in pairwise(sorted({*values})):
        if value in (low, high) and high - low > 1:
            middles.add(min(max(round(math.sqrt(low * high)), low + 1), high - 1))
    return middles


def _scaled(good: Candidate, workers: int) -> Candidate:
    """Another number of workers with about the same slots."""
    return Candidate(workers, _threads(good.slots, workers)) if good.threads > 1 else Candidate(workers)
