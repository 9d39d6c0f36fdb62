"""What neighbours do to a victim, in sentences: at how many it breaks, and what they took."""

from __future__ import annotations

from harness.judge.episodes import Break, ran_out
from harness.report.figures import Study
from harness.report.words.names import called, shown
from harness.report.words.values import text
from harness.suite import ANYIO_THREADS, Arm, Held
from harness.units import plural, seconds


def held_words(study: Study, pair: str) -> str:
    """What is beside a pair: `held report requests`."""
    disturbance = study.group_of(pair).disturbance
    return shown(disturbance.requests) if isinstance(disturbance, Held) else "held requests"


def bearing(study: Study, pair: str) -> str:
    """At how many neighbours each side of a pair breaks."""
    return "; ".join(_arm(study, arm, study.breaks.get(arm.id)) for arm in study.sides(pair))


def _arm(study: Study, arm: Arm, found: Break | None) -> str:
    who = called(study, arm)
    if found is None:
        return f"{who} has no valid episode"
    if found.low is None:
        return f"{who} bears {found.most}, the most that was tried{_cost(study, arm, found.most)}"
    if found.at is None:
        return f"{who} bears {found.most} in most blocks"
    taken = taken_words(arm, found)
    return f"{who} breaks at {found.at}{f' ({taken})' if taken else ''}{_range(found)}"


def _cost(study: Study, arm: Arm, most: int) -> str:
    """What one of them takes, where it is more than can be told from nothing."""
    memory = study.values.get(f"held/{arm.id}/{most}/memory_a_held/open")
    if memory is None or memory.low is None or memory.low <= 0:
        return ""
    return f", at {text(memory)} each"


def _range(found: Break) -> str:
    blocks = plural(len(found.blocks), "block")
    if found.low == found.high:
        return f", in each of {blocks}" if len(found.blocks) > 1 else ""
    return f", {found.low} to {found.high if found.high is not None else f'more than {found.most}'} over {blocks}"


def taken_words(arm: Arm, found: Break) -> str:
    """What ran out, in words; empty where the record does not say."""
    workers, threads = arm.cell.workers, arm.cell.workers * arm.cell.threads
    return {
        "threads": f"all {plural(threads, 'thread')} are taken",
        "anyio": f"AnyIO's {workers * ANYIO_THREADS} threads are taken",
        "event-loop": "the event loop is blocked" if workers == 1 else f"all {workers} event loops are blocked",
        "workers": f"{plural(workers, 'worker')}, one request each" if workers > 1 else "the one worker is taken",
        "capacity": "the slots that are left do not carry the rate",
        "interpreter": f"each computes for {seconds(found.computed_s)}, and the others wait for the interpreter",
        "accept-queue": f"the accept queue is full: {plural(found.turned_away, 'connection')} turned away",
        None: "",
    }[ran_out(arm, found)]
