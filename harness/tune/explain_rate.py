"""The answer to a question with a rate, as a paragraph that a person can paste into a review; pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.tune.candidates import Service
from harness.tune.explain import are, cores, setting, state, subject
from harness.tune.rate.answer import ALIKE, RateAnswer, RateRow
from harness.tune.recommendation import Recommendation

SURELY_BUSY = 0.8
"""Share of the CPUs up to which an objective can usually be held."""
STOPPED = {
    "server-cpu": "the server's CPU stops it",
    "worker-slots": "its slots stop it: all of them hold a request that waits",
    "upstream": "the upstream stops it",
    "connections": "the load's connections stop it",
    "generator": "the load generator stops it",
}


def told(recommendation: Recommendation) -> str:
    """The whole paragraph; of a question with a rate, of which at least one block was measured."""
    rate, service = recommendation.rate, recommendation.service
    assert rate is not None  # noqa: S101 - the caller asks of a question with a rate
    assert service is not None  # noqa: S101 - no block is measured without
    best = next((row for row in rate.rows if row.standing == "recommended"), None)
    answered = _holds(recommendation, rate, service, best) if best else _nothing(recommendation, rate, service)
    return " ".join([*state(recommendation), *answered])


def asked(recommendation: Recommendation, rate: RateAnswer) -> str:
    """`p99 < 100 ms at 500/s with 30 % headroom, so at 650/s`."""
    headroom = f" with {units.percent(rate.headroom)} headroom, so at {units.rps(rate.offered_rps)}"
    return f"{recommendation.slo} at {units.rps(rate.rate_rps)}{headroom if rate.headroom else ''}"


def _holds(recommendation: Recommendation, rate: RateAnswer, service: Service, best: RateRow) -> Iterator[str]:
    holds = "holds" if rate.settled else "probably holds"
    votes = f"{best.held} of {units.plural(best.held + best.missed, 'block')} held"
    p99 = f", p99 {units.duration_us(best.p99_us)}" if best.p99_us is not None else ""
    yield (
        f"Run {subject(recommendation)} with {_name(best, service)}: on {cores(service)} it is the cheapest of "
        f"{units.plural(len(rate.rows), 'setting')} tried that {holds} {asked(recommendation, rate)} of "
        f"{recommendation.scenario} (open load, {votes}{p99}). Cheapest is what takes least memory; within "
        f"{units.percent(ALIKE)} of that the fewest workers, then the fewest threads."
    )
    yield from _takes(rate, best)
    yield from _less(rate, service, best)
    yield from _naive(rate, service, best)
    yield from _untried(rate)


def _takes(rate: RateAnswer, best: RateRow) -> Iterator[str]:
    takes = [f"{units.bytes_(best.memory_bytes)} of memory"] if best.memory_bytes else []
    if best.cpu_s_per_request:
        takes.append(f"{units.number(rate.offered_rps * best.cpu_s_per_request)} of a core at that rate")
    if takes:
        yield f"It takes {' and '.join(takes)}."


def _less(rate: RateAnswer, service: Service, best: RateRow) -> Iterator[str]:
    """The dearest of what is cheaper and does not hold."""
    one = [row for row in rate.rows if row.standing == "misses" and (row.workers, row.threads) < _size(best)]
    alike = [row for row in one if row.workers == best.workers] or one
    if alike:
        row = max(alike, key=_size)
        yield f"{_name(row, service)} {_do(row)} not: {_lost(row)}, and {_stopped(row)}."


def _naive(rate: RateAnswer, service: Service, best: RateRow) -> Iterator[str]:
    rows = [row for row in rate.rows if row.naive and row.standing != "failed"]
    if best.naive:
        yield f"2 x cores + 1 gives the same {units.plural(best.workers, 'worker')}."
    elif rows:
        row = min(rows, key=lambda row: (["holds", "open", "misses"].index(row.standing), _size(row)))
        memory = f", in {units.bytes_(row.memory_bytes)}" if row.memory_bytes else ""
        yield f"2 x cores + 1 = {_name(row, service)} {_whether(row)}{memory}."


def _whether(row: RateRow) -> str:
    """Whether it holds the rate, and where that is not settled, what its blocks say."""
    holds = row.standing == "holds" or (row.standing == "open" and row.held > row.missed)
    words = ("holds it" if row.workers == 1 else "hold it") if holds else f"{_do(row)} not hold it"
    if row.standing == "open":
        return f"{words} so far ({row.held} of {units.plural(row.held + row.missed, 'block')})"
    return f"{words} too" if holds else words


def _untried(rate: RateAnswer) -> Iterator[str]:
    if rate.untried:
        yield f"Not tried, because it cannot matter: {'; '.join(rate.untried)}."


def _nothing(recommendation: Recommendation, rate: RateAnswer, service: Service) -> Iterator[str]:
    near = next((row for row in rate.rows if rate.nearest is not None and _size(row) == _of(rate)), None)
    tried = f"on {cores(service)}, of {units.plural(len(rate.rows), 'setting')}"
    if near is None:
        reasons = sorted({row.why for row in rate.rows if row.why})
        yield f"Nothing could be validly measured {tried}: {'; '.join(reasons) or 'no reason is known'}."
        return
    which = (
        "Nothing that was tried holds" if recommendation.ended == "nothing holds" else "Nothing is known yet to hold"
    )
    yield f"{which} {asked(recommendation, rate)} of {recommendation.scenario}, {tried}."
    yield f"The nearest miss is {_name(near, service)}: {_lost(near)}, and {_stopped(near)}."
    yield f"What would help: {_help(rate, service, near)}."
    yield from _untried(rate)


def _help(rate: RateAnswer, service: Service, near: RateRow) -> str:
    cpu_s = near.cpu_s_per_request or service.cpu_s_per_request
    needed = rate.offered_rps * cpu_s
    if near.limit in {"server-cpu", "cpu-quota"} or needed > SURELY_BUSY * service.cpus:
        rate_rps = SURELY_BUSY * service.cpus / cpu_s / (1 + rate.headroom)
        less = f", or about {units.rps(rate_rps)}" if rate_rps < rate.rate_rps else ""
        return (
            f"CPU, of which {units.rps(rate.offered_rps)} takes {units.number(needed)} cores at "
            f"{units.seconds(cpu_s)} a request, while {cores(service)} {are(service)} all there is: more of that, or "
            f"less work a request{less}"
        )
    helps = {
        "worker-slots": "more slots, if memory and threads allow them, or an upstream that answers sooner",
        "upstream": "an upstream that answers sooner, which no number of workers can change",
        "connections": "nothing on the server: the load had too few connections",
        "generator": "more CPUs for the load generator, which could not offer the rate",
    }
    usual = "a lower rate or a longer objective: nothing was used up, so it is single answers that are late"
    return helps.get(near.limit or "", usual)


def _lost(row: RateRow) -> str:
    share = f"{units.percent(row.loss_ratio)} of its requests were lost to it"
    p99 = f", p99 {units.duration_us(row.p99_us)}" if row.p99_us is not None else ""
    return f"{share} ({row.cause or 'late'}{p99})"


def _stopped(row: RateRow) -> str:
    return STOPPED.get(row.limit or "", "no single resource is used up")


def _name(row: RateRow, service: Service) -> str:
    return setting(row.workers, row.threads, service)


def _do(row: RateRow) -> str:
    return "does" if row.workers == 1 else "do"


def _size(row: RateRow) -> tuple[int, int]:
    return row.workers, row.threads


def _of(rate: RateAnswer) -> tuple[int, int] | None:
    return (rate.nearest.workers, rate.nearest.threads) if rate.nearest else None
