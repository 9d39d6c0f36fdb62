"""The settings that could hold a rate, in lines; pure.

A *line* rises in slots, and so in what it holds: of a server with threads there is a line for each number of workers,
of any other server the number of workers is the line. By Little's law `rate x response time` slots are busy, so a line
begins just below that; its places are a fixed ratio apart. What a request takes of the CPU says which lines have too
few workers. So what cannot matter has no place, or no line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from harness.tune.candidates import MOST_THREADS, Candidate, ladder
from harness.tune.rate.asked import Asked

STEP = 1.25
"""Ratio of the slots of neighbours on a line, about; of few slots, one."""
BELOW, ABOVE = 2, 12
"""Steps from the slots that Little's law asks for, down and up, at which a line begins and ends."""
LIKELY = 2
"""Steps above those slots at which arrivals that come by chance will hardly wait."""
SURELY = 2.0
"""Times the CPUs that the lone worker's CPU a request asks for, from which a line is left out: it is a rough figure."""


@dataclass(frozen=True, slots=True)
class Line:
    """Settings that differ in one number only, rising."""

    places: tuple[Candidate, ...]
    likely: int
    """The place where it is worth while to begin."""
    cores: int
    """Up to so many workers its later places can use more CPUs; 0: its places have the same workers."""


def lines(asked: Asked, cpu_s: float | None = None) -> tuple[Line, ...]:
    """All lines, the cheapest first; without those whose CPUs are too few when a request takes `cpu_s` of CPU.

    Without `cpu_s` the lone worker's figure is used, with care. Where no line has CPUs enough, the last one is left.
    """
    service = asked.service
    if service.slots != "threads":
        return (_workers(asked),)
    every = [_threads(asked, workers) for workers in _worker_counts(asked)]
    able = [line for line in every if _able(asked, line.places[0].workers, cpu_s)]
    return tuple(able or every[-1:])


def _able(asked: Asked, workers: int, cpu_s: float | None) -> bool:
    cpus = min(workers, asked.service.cpus)
    if cpu_s is None:
        return asked.offered_rps * asked.service.cpu_s_per_request <= SURELY * cpus
    return asked.offered_rps * cpu_s <= cpus


def _worker_counts(asked: Asked) -> tuple[int, ...]:
    """From 1 to 2C + 1, all of them where they are few; more only where threads alone cannot give the slots."""
    service = asked.service
    if not service.many_workers:
        return (1,)
    few = set(range(1, 1 + min(service.naive, 5))) | set(ladder(service.busy)) | {service.busy, service.naive}
    held = math.ceil(asked.slots * STEP**LIKELY / MOST_THREADS)
    fitting = sorted(count for count in {*few, held} if service.fits(Candidate(count)))
    return tuple(fitting) or (1,)


def _threads(asked: Asked, workers: int) -> Line:
    """The line of a number of workers, rising in threads."""
    counts = {min(MOST_THREADS, max(1, math.ceil(slots / workers - 1e-9))) for slots in _steps(asked.slots)}
    places = tuple(Candidate(workers, count) for count in sorted(counts))
    return Line(places, _at(places, asked.slots * STEP**LIKELY), cores=0)


def _workers(asked: Asked) -> Line:
    """The line of a server whose workers are its slots, or whose workers hold many requests each."""
    service = asked.service
    if not service.many_workers:
        return Line((Candidate(1),), 0, cores=service.busy)
    least = _least_workers(asked)
    counts = {1, *range(1, 1 + service.naive), *(math.ceil(count - 1e-9) for count in _steps(least))}
    if service.slots == "one":
        counts = {count for count in counts if count >= least / STEP**BELOW} | {service.naive}
    places = tuple(Candidate(count) for count in sorted(counts) if service.fits(Candidate(count)))
    places = places or (Candidate(1),)
    return Line(places, _at(places, least), cores=service.busy)


def _least_workers(asked: Asked) -> float:
    """Workers that slots and CPU ask for."""
    service = asked.service
    by_cpu = min(service.cpus, asked.offered_rps * service.cpu_s_per_request)
    if service.slots == "one":
        return max(by_cpu, asked.slots * STEP)
    endless = service.slots_a_worker >= service.connections
    return max(by_cpu, 1.0 if endless else asked.slots * STEP / service.slots_a_worker)


def _steps(middle: float) -> Iterator[float]:
    return (middle * STEP**step for step in range(-BELOW, ABOVE + 1))


def _at(places: tuple[Candidate, ...], slots: float) -> int:
    """The first place with so many slots, or the last."""
    return next((index for index, place in enumerate(places) if place.slots >= slots), len(places) - 1)


def naive(asked: Asked) -> Candidate | None:
    """2C + 1 workers with the slots that the rate asks for: what the rule of thumb would deploy; None: not possible."""
    service = asked.service
    if not service.many_workers or not service.fits(Candidate(service.naive)):
        return None
    threads = math.ceil(asked.slots * STEP**LIKELY / service.naive) if service.slots == "threads" else 1
    return Candidate(service.naive, min(MOST_THREADS, max(1, threads)))


def untried(asked: Asked, cpu_s: float | None) -> tuple[str, ...]:
    """Why some settings were not tried, in sentences' parts; what a service's slots and CPU rule out."""
    return tuple(_untried(asked, cpu_s))


def _untried(asked: Asked, cpu_s: float | None) -> Iterator[str]:
    service = asked.service
    if service.slots != "loop" and asked.slots >= STEP**BELOW:
        yield f"fewer than {math.ceil(asked.slots / STEP**BELOW)} slots, of which Little's law asks {asked.slots:.1f}"
    if service.slots == "threads" and service.many_workers:
        first = lines(asked, cpu_s)[0].places[0].workers
        if first > 1:
            yield f"fewer than {first} workers, whose CPUs would not do"
    if service.memory_bytes is not None and service.worker_bytes:
        yield "settings beyond the memory that they may use"
