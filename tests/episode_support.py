"""Episodes that were never measured, and a run whose suite has a disturbance."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.record import Episode, Part, Timeline
from harness.suite import Arm, Ask, Expect, Group, Held, Open, Scenario
from tests import factories

REPORT = Scenario(
    name="report",
    about="Takes long.",
    request=Ask(path="/slow?ms=3500"),
    expect=Expect(json={"waited_ms": 3500}),
)
HELD = Held(request="report", count=(0, 1, 2, 4, 8, 16), late_share=0.05)


def group(disturbance: Held = HELD, *arms: Arm) -> Group:
    """Flask against FastAPI, or `arms`, with that disturbance."""
    return factories.group(*arms, disturbance=disturbance, neighbour=REPORT)


def part(arrivals: int = 100, late: int = 0, p99_us: float = 5000.0, **lost: int) -> Part:
    """Two seconds of that many arrivals."""
    in_time = arrivals - late - sum(lost.values())
    return Part(
        length_s=2.0,
        arrivals=arrivals,
        in_time=in_time,
        late=late,
        lost=lost,
        goodput_rps=in_time / 2.0,
        latency_us=factories.latency(p99_us / 1.6),
        histogram=factories.histogram([p99_us] * max(arrivals - sum(lost.values()), 1)),
    )


def timeline(strength: int, *, late: bool) -> Timeline:
    """Two seconds before, three during, one after, at ten arrivals a tick."""
    disturbed = [20 <= tick < 50 for tick in range(60)]
    return Timeline(
        in_time=tuple(0 if late and each else 10 for each in disturbed),
        late=tuple(10 if late and each else 0 for each in disturbed),
        lost=(0,) * 60,
        held=tuple(strength if each else 0 for each in disturbed),
        begun=(0,) * 60,
    )


def episode(arm: Arm, strength: int, *, late: int = 0, **changes: Any) -> Episode:
    """A valid episode of 100 arrivals in each part, so many of them late during the disturbance."""
    block = changes.get("block", 0)
    given: dict[str, Any] = {
        "episode": f"{arm.id}/{block}/{strength}",
        "arm": arm.id,
        "pair": arm.pair,
        "group": "g1",
        "block": block,
        "cell": arm.cell,
        "load": Open(connections=64, rate_rps=50.0),
        "disturbance": HELD,
        "strength": strength,
        "started": "2026-01-01T00:00:00Z",
        "valid": True,
        "before": part(),
        "during": part(late=late, p99_us=5000.0 if not late else 2_000_000.0),
        "after": part(),
        "well_s": 0.5 if late else 0.0,
        "silent_s": 2.9 if late else 0.1,
        "held_least": strength,
        "begun_most": 0,
        "cores_during": 0.1,
        "accept_queue_most": 0,
        "accept_overflows": 0,
        "steal_fraction": 0.0,
        "outside_fraction": 0.0,
        "generator": factories.generator(),
        "timeline": timeline(strength, late=late > 0),
    }
    return Episode(**given | changes)


def searched(arm: Arm, broken_from: int | None, block: int = 0, strengths: tuple[int, ...] = ()) -> list[Episode]:
    """An episode at each strength; from `broken_from` on all of its requests are late (None: never)."""
    tried = strengths or HELD.strengths
    return [
        episode(arm, strength, late=100 if broken_from is not None and strength >= broken_from else 0, block=block)
        for strength in tried
    ]


def in_blocks(episodes: list[Episode], blocks: int) -> list[Episode]:
    """The same in each of so many blocks."""
    return [
        dataclasses.replace(each, block=block, episode=f"{each.arm}/{block}/{each.strength}")
        for block in range(blocks)
        for each in episodes
    ]
