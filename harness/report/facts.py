"""What is known of a machine, an instrument and a method, as a page tells it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from harness import units
from harness.record import GeneratorShare
from harness.report.figures import Study
from harness.suite import Plan, Times


def described(known: Mapping[str, object]) -> dict[str, str]:
    """What is known of a machine or an instrument, each in its unit; what is not known is left out."""
    texts: dict[str, str] = {}
    for name, value in known.items():
        if isinstance(value, Mapping):
            texts |= {f"{_label(name)} {inner}": text for inner, text in described(value).items()}
        elif value is not None:
            texts[_label(name)] = _plain(name, value)
    return texts


UNITS: dict[str, Callable[[float], str]] = {
    "_bytes": units.bytes_,
    "_rps": units.rps,
    "_us": units.duration_us,
    "_s": units.seconds,
    "_percent": lambda value: units.percent(value / 100),
    "_error": units.percent,
}
"""How a fact is written, by the end of its name."""


def _label(name: str) -> str:
    ending = next((ending for ending in UNITS if ending != "_error" and name.endswith(ending)), "")
    return name.removesuffix(ending).replace("_", " ")


def _plain(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    unit = next((unit for ending, unit in UNITS.items() if name.endswith(ending)), None)
    if unit and isinstance(value, (int, float)):
        return unit(value)
    if isinstance(value, float):
        return units.number(value)
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def spent(study: Study) -> dict[str, str]:
    """Where the time of the run's blocks went; nothing where it is not on record."""
    times = Times.summed(row.times for row in study.run.blocks)
    shares = {name: spent_s / times.total_s for name, spent_s in times.by_name.items() if spent_s}
    return {name: f"{units.clock(times.by_name[name])}, {units.percent(share)}" for name, share in shares.items()}


GENERATORS = ("generator", "requests", "CPU", "waited for it", "lateness p99", "clock known to")


def shared(study: Study) -> list[tuple[str, ...]]:
    """A row of `GENERATORS` for each of several generators: what it drove of the run, and the worst of what it had."""
    by_number: dict[int, list[GeneratorShare]] = {}
    for share in (share for trial in study.run.trials for share in trial.generators):
        by_number.setdefault(share.generator, []).append(share)
    requests = {number: sum(share.requests for share in shares) for number, shares in by_number.items()}
    every = max(sum(requests.values()), 1)
    where = study.run.info.plan.machine_of
    return [
        (f"{number}{where(number)}", *_worst(shares, requests[number] / every))
        for number, shares in sorted(by_number.items())
    ]


def _worst(shares: Sequence[GeneratorShare], part: float) -> Iterator[str]:
    late_us = [share.lateness_p99_us for share in shares if share.lateness_p99_us is not None]
    yield units.percent(part)
    yield units.percent(max(share.cpu_percent for share in shares) / 100)
    yield units.percent(max(share.waiting_fraction for share in shares))
    yield units.duration_us(max(late_us, default=None))
    yield units.duration_us(max(share.clock_bound_us for share in shares))


def method(study: Study) -> list[str]:
    """How this run was measured, in paragraphs."""
    plan = study.run.info.plan
    blocks, rounds = units.plural(plan.blocks, "block"), units.plural(plan.rounds, "round")
    cpus = units.plural(study.cores, "CPU")
    closed, opened = units.tick(units.seconds(plan.slice_s)), units.tick(units.seconds(plan.open_slice_s))
    arrivals = "Poisson arrivals" if plan.arrivals == "poisson" else "arrivals at equal distances"
    sampled = f"""
        Each scenario's arms were launched side by side, afresh in each of {blocks}, on the same {cpus}, and driven in
        turn in {rounds} of short slices (at least {closed} closed, {opened} open) while the others idled. The two of a
        pair are always neighbours. The block is the sample of all statistics, never the request."""
    loaded = f"""
        Under closed load every connection sends its next request when the last answer is in: that shows capacity.
        Under open load {arrivals} come at a rate that both arms of a pair share, 70 % of what the slower one holds
        unless a rate was asked for, whatever the server does; response times count from when a request was due."""
    if plan.together:
        loaded += f" {_drivers(plan)} the connections and the arrivals of each slice."
    if plan.server is not None:
        loaded += f" Servers and the services beside them were on {plan.server.name}."
    judged = f"""
        A ratio is the mean over blocks of the log ratio b / a, with Student's t interval at 95 %. Better or worse: the
        interval lies wholly beyond the margin of {units.percent(plan.margin)}; equivalent: wholly inside; otherwise
        inconclusive. Throughput is the primary metric; everything else is exploratory. A percentile is shown where at
        least ten samples lie beyond it."""
    refused = """
        Answers were verified before and after. A trial that cannot be true (generator saturated or late, Little's law
        off, wrong answers, stolen CPU, no steady state) is kept and named, and never charted as a result."""
    disturbed = """
        An episode is an open load of the victim's requests on one arm, before, during and after a disturbance, with the
        same arrivals on both arms and at every strength; the arms take turns. The victim breaks where a greater share
        of its requests than allowed is late or lost. In each block the break is searched to the one; over blocks it
        is their median, from the lowest to the highest block."""
    texts = [sampled, loaded, judged, refused]
    texts += [disturbed] if any(group.disturbance for group in plan.groups) else []
    return [_one_line(text) for text in texts]


def _drivers(plan: Plan) -> str:
    """Who had a share of the load."""
    names = list(dict.fromkeys(machine.name for machine in plan.machines))
    where = f" on {' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))}" if names else ""
    did = "shared" if plan.generators > 1 else "drove"
    return f"{units.plural(plan.generators, 'generator')}{where} {did}"


def _one_line(text: str) -> str:
    return re.sub(r"\n +", " ", text.strip())
