"""The paragraph, which a person can paste into a review, and the command line to deploy; pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from harness import units
from harness.subject.launch import fill
from harness.suite import Arm, Factor
from harness.suite.pod import cpus
from harness.suite.secrets import masked_server
from harness.tune.candidates import Candidate, Service
from harness.tune.explain_capacity import told
from harness.tune.most.verdict import Held, Rounds
from harness.tune.rate.answer import ALIKE
from harness.tune.recommendation import CandidateRow, Recommendation

DEPLOY_HOST, DEPLOY_PORT = "0.0.0.0", 8000  # noqa: S104 - a deployed server listens on every interface
UNEVEN = 1.5
"""Share of the busiest worker over a fair share, above which it is mentioned."""


def command(arm: Arm, candidate: Candidate, factors: Iterable[Factor] = ()) -> tuple[str, ...]:
    """The argv to deploy: what was measured, with the workers and threads of `candidate`; secrets are masked."""
    cell = replace(arm.cell, workers=candidate.workers, threads=candidate.threads)
    deployed = replace(arm, cell=cell, target=replace(arm.target, python="python"), server=masked_server(arm.server))
    return tuple(fill(deployed, factors, DEPLOY_HOST, DEPLOY_PORT))


def explain(recommendation: Recommendation) -> str:
    """The whole paragraph: how it ended, what to run and why, and what load it holds."""
    sentences = [*state(recommendation), *_count(recommendation), *told(recommendation)]
    return " ".join(sentences)


def state(recommendation: Recommendation) -> Iterator[str]:
    """How it ended, where it did not come to its end."""
    if recommendation.interrupted:
        yield f"Interrupted after {units.clock(recommendation.elapsed_s)}: this is the best answer so far."
    elif recommendation.failure is not None:
        after = units.clock(recommendation.elapsed_s)
        yield f"Broken off after {after} by a launch or a load that failed: this is the best answer so far."
    elif recommendation.ended == "time is up":
        budget = units.clock(recommendation.budget_s)
        yield f"The budget of {budget} ended before the choice was clear: it is the best so far."


def _count(recommendation: Recommendation) -> Iterator[str]:
    chosen = next((row for row in recommendation.candidates if row.standing == "recommended"), None)
    if chosen is None or recommendation.service is None:
        if recommendation.candidates:
            reasons = sorted({row.why for row in recommendation.candidates if row.why})
            measured = any(row.blocks for row in recommendation.candidates)
            nothing = (
                "None of the settings that were measured can be recommended"
                if measured
                else "No candidate was validly measured, so nothing is recommended"
            )
            yield f"{nothing}: {'; '.join(reasons) or 'no reason'}."
        return
    service = recommendation.service
    blocks = "one block" if chosen.blocks == 1 else f"{chosen.blocks} blocks"
    run = f"Run {subject(recommendation)} with {_name(chosen, service)}: on {cores(service)}"
    closed = f"{service.connections} connections of {recommendation.scenario} it answered {_with_interval(chosen)}"
    if chosen.held is not None and recommendation.rounds is not None:
        yield _most(recommendation, run, chosen.held, recommendation.rounds)
        yield f"With all of {closed} over {blocks} of closed load."
    else:
        yield f"{run} and {closed} over {blocks}."
    yield _limit(chosen, service)
    yield from _ties(recommendation, chosen, service)
    yield from _naive(recommendation, chosen, service)
    yield from _more(recommendation, chosen, service)
    yield from _sharing(chosen)


def _most(recommendation: Recommendation, run: str, held: Held, rounds: Rounds) -> str:
    """What the rounds of open load showed of the choice."""
    tried = units.plural(len(recommendation.candidates), "setting")
    rates = units.rps(rounds.low_rps)
    if rounds.high_rps > rounds.low_rps:
        rates += f" to {units.rps(rounds.high_rps)}"
    usual = "" if recommendation.slo_given else " (no objective was given; this one is usual, --slo states another)"
    return (
        f"{run} it is the cheapest of {tried} whose capacity under {recommendation.slo}{usual} is within "
        f"{units.percent(recommendation.margin)} of the best: {_about(held)} of {recommendation.scenario}, "
        f"by {units.plural(rounds.rounds, 'round')} of open load at {rates}, in each of which all candidates got the "
        f"same arrivals. Cheapest is what takes least memory, within {units.percent(ALIKE)} of that the fewest "
        "workers, then threads."
    )


def _about(held: Held) -> str:
    """What it holds by the rounds: a figure only where it held some rate and missed another."""
    rates = [each.rate_rps for each in held.rounds]
    if not held.held:
        return f"less than {units.rps(min(rates))}, at which it did not hold yet,"
    if not held.missed:
        return f"{units.rps(max(rates))} at least"
    return f"some {units.rps(held.rps)}"


def subject(recommendation: Recommendation) -> str:
    """`flask on gunicorn-gthread`, with what else was set."""
    levels = f" ({', '.join(recommendation.levels)})" if recommendation.levels else ""
    return f"{recommendation.target} on {recommendation.server}{levels}"


def _name(row: CandidateRow, service: Service) -> str:
    return setting(row.workers, row.threads, service)


def setting(workers: int, threads: int, service: Service) -> str:
    """`1 worker of 8 threads`, `4 workers of 8 threads each`; `4 workers` of a server without threads."""
    counted = units.plural(workers, "worker")
    if service.slots != "threads":
        return counted
    return f"{counted} of {units.plural(threads, 'thread')}" + ("" if workers == 1 else " each")


def cores(service: Service) -> str:
    """`2 server cores`, or what a pod gives of them."""
    if service.cpus < service.cores:
        return f"a quota of {cpus(service.cpus)}"
    return "1 server core" if service.cores == 1 else f"{service.cores} server cores"


def are(service: Service) -> str:
    """The verb for them."""
    return "is" if service.cores == 1 or service.cpus < service.cores else "are"


def _with_interval(row: CandidateRow) -> str:
    return f"{units.rps(row.throughput_rps)} ({units.rps(row.low_rps)} to {units.rps(row.high_rps)})"


def _limit(row: CandidateRow, service: Service) -> str:
    reasons = {
        "server-cpu": f"its limit is the server's CPU: {cores(service)} {are(service)} used up",
        "cpu-quota": "its limit is the CPU quota of its pod, which is used up",
        "worker-slots": "its limit is its slots: all of them hold a request that waits",
        "upstream": "its limit is the upstream, which no number of workers can change",
        "connections": (
            f"its limit is the load: all {service.connections} connections are in hand, so more can only idle here, "
            "and a larger load may want more"
        ),
        "generator": "its limit is the load generator, so it can do at least this",
    }
    reason = reasons.get(row.limit or "", "no single resource is its limit")
    sentence = reason[0].upper() + reason[1:]
    if row.ceiling_rps and row.throughput_rps:
        share = row.throughput_rps / row.ceiling_rps
        return f"{sentence}; the ceiling is {units.rps(row.ceiling_rps)}, of which it reaches {units.percent(share)}."
    return f"{sentence}."


def _ties(recommendation: Recommendation, chosen: CandidateRow, service: Service) -> Iterator[str]:
    others = [row for row in recommendation.candidates if row.standing == "tie"]
    margin = units.percent(recommendation.margin)
    what = "blocks" if recommendation.rounds is None else "rounds"
    picks = f"drawn again, the {what} pick it {units.percent(chosen.share_of_picks)} of the time"
    if not others:
        yield f"No other count comes within {margin} of it; {picks}."
        return
    names = _listed([_name(row, service) for row in others])
    least = "smallest" if recommendation.rounds is None else "cheapest"
    yield f"It is the {least} within {margin} of the best, and ties with {names}; {picks}."


def _naive(recommendation: Recommendation, chosen: CandidateRow, service: Service) -> Iterator[str]:
    """What the rule of thumb would have given: the best row that has 2C + 1 workers."""
    rows = [row for row in recommendation.candidates if row.workers == service.naive and row.throughput_rps]
    if not rows or not chosen.throughput_rps:
        return
    row = max(rows, key=lambda row: (row.held.rps if row.held else 0.0, row.throughput_rps or 0.0))
    if row.workers == chosen.workers:
        yield f"2 x cores + 1 gives the same {service.naive}."
        return
    ratio = (row.throughput_rps or 0.0) / chosen.throughput_rps
    if row.held is not None and chosen.held is not None:
        ratio = row.held.of_best / chosen.held.of_best
    memory = ""
    if row.memory_bytes and chosen.memory_bytes:
        memory = f" in {units.bytes_(row.memory_bytes)} of memory instead of {units.bytes_(chosen.memory_bytes)}"
    yield f"2 x cores + 1 = {_name(row, service)} would have given {units.ratio(ratio)} times as much{memory}."


def _more(recommendation: Recommendation, chosen: CandidateRow, service: Service) -> Iterator[str]:
    """Why more workers bring nothing, and what they would cost in memory."""
    larger = [row for row in recommendation.candidates if row.workers > chosen.workers and row.throughput_rps]
    if chosen.limit == "server-cpu":
        yield (
            f"More workers bring nothing here: a worker runs Python on one core, and {cores(service)} "
            f"{are(service)} all there is; more cores would change that."
        )
    elif chosen.limit == "cpu-quota":
        yield f"More workers bring nothing here: the quota of {cpus(service.cpus)} is all there is for all of them."
    elif not service.many_workers:
        yield f"{recommendation.server} has one worker process only."
    elif service.slots == "loop" and larger:
        yield "A worker's event loop holds all requests that wait, so more workers only add CPU where cores are free."
    further = [
        (row.memory_bytes - chosen.memory_bytes) / (row.workers - chosen.workers)
        for row in larger
        if row.memory_bytes and chosen.memory_bytes
    ]
    if chosen.memory_bytes:
        takes = f"It takes {units.bytes_(chosen.memory_bytes)}{_shared(chosen)}"
        yield f"{takes}; each further worker costs {units.bytes_(further[-1])}." if further else f"{takes}."


def _shared(chosen: CandidateRow) -> str:
    """What its processes share of their memory under load, where there is more than one worker."""
    if chosen.workers == 1 or chosen.shared_bytes is None or not chosen.memory_bytes:
        return ""
    own = (chosen.memory_bytes - chosen.shared_bytes) / chosen.workers
    shares = f", of which its processes share {units.bytes_(chosen.shared_bytes)} under load"
    return f"{shares} ({units.bytes_(own)} a worker not)"


def _sharing(chosen: CandidateRow) -> Iterator[str]:
    shares = chosen.worker_shares
    if len(shares) > 1 and max(shares) * chosen.workers > UNEVEN:
        yield (
            f"Requests by worker process are uneven: the busiest answers {units.percent(max(shares))}, a fair share is "
            f"{units.percent(1 / chosen.workers)}, which looks like poor scaling and is poor sharing."
        )


def shell(argv: Sequence[str]) -> str:
    """The command as it is typed into a shell."""
    return shlex.join(argv)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
