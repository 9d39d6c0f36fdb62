"""What the records hold of episodes: one row each in episodes.jsonl, a file that only a run with disturbances has."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import model_validator

from harness.errors import Fault
from harness.record.rows import FORMAT, GeneratorCheck
from harness.record.values import ROW, Count, EncodedHistogram, Latency, NonNegative, Share
from harness.suite import Cell, Disturbance, Open

TICK_S = 0.1
"""What a timeline counts together, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The victim's requests that were due before, during or after the disturbance.

    Those that were under way when it began are of the time during it.
    """

    __pydantic_config__ = ROW

    length_s: NonNegative
    arrivals: Count
    in_time: Count
    """Answered well within the deadline."""
    late: Count
    """Answered well, after the deadline."""
    lost: dict[str, Count] = field(default_factory=dict)
    """By kind: no good answer came, or it was never sent. A connection that was closed while idle is none of them."""
    goodput_rps: NonNegative | None = None
    """Good answers within the deadline a second."""
    latency_us: Latency | None = None
    """Response times of good answers, the late ones among them."""
    histogram: EncodedHistogram | None = None

    @property
    def late_share(self) -> float:
        """Share of the arrivals that were late or lost; 0 without any."""
        return 1 - self.in_time / self.arrivals if self.arrivals else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The whole episode by the moment at which a request was due, in ticks of `TICK_S`; a list each, of one length."""

    __pydantic_config__ = ROW

    in_time: tuple[Count, ...]
    late: tuple[Count, ...]
    lost: tuple[Count, ...]
    held: tuple[Count, ...]
    """At the end of the tick: requests that the disturbance has sent, and that are not answered to the end."""
    begun: tuple[Count, ...]
    """Of these, those whose answer had begun."""

    @model_validator(mode="after")
    def _of_one_length(self) -> Timeline:
        """Raise `ValueError` where the lists are not of one length."""
        lengths = {len(each) for each in (self.in_time, self.late, self.lost, self.held, self.begun)}
        if len(lengths) > 1:
            raise ValueError(f"its lists are not of one length: {sorted(lengths)}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What became of a server's workers, by their own counts; times are seconds since the disturbance began."""

    __pydantic_config__ = ROW

    renewed: bool
    """Whether new workers have new code; in the place of a killed worker comes one with the same."""
    workers: Count
    """New ones that have answered."""
    new_from_s: float | None = None
    """When the first of them had answered first; None: none has."""
    old_until_s: NonNegative | None = None
    """When old code answered last; None: the code stayed, or the new has not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An open load on one arm with a disturbance in it: one row of episodes.jsonl.

    A failure is a row with `error` set and no figures.
    """

    __pydantic_config__ = ROW

    format: int = FORMAT
    episode: str
    """Unique among the rows that count: ARM/BLOCK/STRENGTH."""
    arm: str
    pair: str | None = None
    group: str
    block: Count
    cell: Cell
    load: Open
    disturbance: Disturbance
    strength: Count
    """How much of the disturbance there was. Of `held`, how many requests; of `deploy`, its number in the block; of
    `overload`, the offered rate in hundredths of the capacity."""
    started: str
    sitting: Count = 0
    valid: bool = False
    reasons: tuple[str, ...] = ()
    error: str | None = None
    fault: Fault | None = None
    before: Part | None = None
    during: Part | None = None
    after: Part | None = None
    well_s: NonNegative | None = None
    """From the end of the disturbance until the victim was well for a second; None: it was not within the episode."""
    silent_s: NonNegative | None = None
    """The longest time within the disturbance in which no good answer came."""
    held_least: Count | None = None
    """The fewest requests that were held at once, from a tenth of the disturbance on until its end; None: none is held,
    or they come now and then."""
    begun_most: Count | None = None
    """The most of these whose answers had begun."""
    held_answers: Count = 0
    """Of the requests that were held, how many were answered and so renewed."""
    held_wrong: dict[str, Count] = field(default_factory=dict)
    """What came in place of a right answer or a connection, and how often."""
    deployed: Deployed | None = None
    """What a deploy did; None where there was none."""
    server_begun: Count | None = None
    """Requests that the server's workers began in the episode, by their own count; None where they do not count."""
    server_finished: Count | None = None
    """Of these, those that they finished, whether anybody waited for the answer or not."""
    upstream_hits: Count | None = None
    """Calls that the upstream counted for this arm; None where its scenario has none."""
    attempts: Count | None = None
    reconnects: Count | None = None
    """What was sent in all while these were counted, and connections opened again that were closed while idle."""
    good: Count | None = None
    cpu_s: NonNegative | None = None
    """Of the arm's processes, over the whole episode."""
    threads: Count | None = None
    processes: Count | None = None
    memory_bytes: Count | None = None
    """After the episode (PSS)."""
    memory_most_bytes: Count | None = None
    """The most that its processes held at once during the disturbance (PSS)."""
    cores_during: NonNegative | None = None
    """CPU seconds a second of its processes during the disturbance; None: that was not seen."""
    accept_queue_most: Count | None = None
    """The most connections that waited to be accepted at once during the disturbance, of a look each 0.2 s."""
    accept_overflows: Count | None = None
    """How often the kernel turned a connection away in the episode for a full accept queue, whoever's it was."""
    steal_fraction: Share | None = None
    outside_fraction: Share | None = None
    generator: GeneratorCheck | None = None
    timeline: Timeline | None = None
