"""Why an episode may not be used, each reason with its remedy.

What a disturbance does to the victim is the measurement: late, lost and refused requests are no reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.judge.validity.words import percent
from harness.record import Episode
from harness.suite import Thresholds

Rule = Callable[[Episode, Thresholds], Iterator[str]]


def generator(episode: Episode, _: Thresholds) -> Iterator[str]:
    """The load generator was fast enough by its own judgement."""
    if episode.generator is not None and not episode.generator.valid:
        yield f"{'; '.join(episode.generator.reasons)}: lower the rate (rate_rps), or measure when less else runs"


def steal(episode: Episode, thresholds: Thresholds) -> Iterator[str]:
    """The hypervisor left the machine its CPUs."""
    if (episode.steal_fraction or 0.0) > thresholds.steal:
        yield (
            f"the hypervisor took {percent(episode.steal_fraction or 0.0)} of the CPU time (steal), at most "
            f"{percent(thresholds.steal)} allowed: measure at another time or on another machine"
        )


def outside_load(episode: Episode, thresholds: Thresholds) -> Iterator[str]:
    """Processes that do not belong to the measurement hardly used the machine."""
    if (episode.outside_fraction or 0.0) > thresholds.outside_load:
        yield (
            f"other processes used {percent(episode.outside_fraction or 0.0)} of the CPUs, at most "
            f"{percent(thresholds.outside_load)} allowed: stop them"
        )


def well_before(episode: Episode, _: Thresholds) -> Iterator[str]:
    """The victim was well before the disturbance."""
    before, allowed = episode.before, episode.disturbance.late_share
    if before is None or not before.arrivals:
        yield "no request was due before the disturbance: raise the rate (rate_rps), or lengthen before_s"
    elif before.late_share > allowed:
        yield (
            f"{percent(before.late_share)} of the requests before the disturbance were late or lost, at most "
            f"{percent(allowed)} allowed: lower the rate (rate_share, rate_rps), or raise deadline_ms"
        )


def was_there(episode: Episode, _: Thresholds) -> Iterator[str]:
    """What was to be held was held, and what was to come now and then came."""
    if episode.held_least is None and episode.held_wrong:
        yield f"the requests beside it were answered wrongly ({_wrong(episode)}): read the server's log"
    if episode.held_least is not None and episode.held_least < episode.strength:
        wrong = _wrong(episode)
        yield (
            f"at times only {episode.held_least} of {episode.strength} requests were held"
            f"{f' ({wrong})' if wrong else ''}: ask for one that takes longer, or read the server's log"
        )


def _wrong(episode: Episode) -> str:
    return ", ".join(f"{count} times {what}" for what, count in sorted(episode.held_wrong.items()))


def reconciled(episode: Episode, _: Thresholds) -> Iterator[str]:
    """The upstream was called as often as the answers say: good answers <= hits <= attempts + reconnects."""
    seen, attempts, good = episode.upstream_hits, episode.attempts, episode.good
    if seen is None or attempts is None or good is None:
        return
    most = attempts + (episode.reconnects or 0)
    if not good <= seen <= most:
        yield (
            f"the upstream counted {seen} calls, where {good} good answers of {most} requests are known: "
            "look for a cache, or for retries in the target's client"
        )


def counted(episode: Episode, _: Thresholds) -> Iterator[str]:
    """The server's own count fits the client's: good answers <= finished <= begun <= attempts + reconnects."""
    begun, finished, attempts, good = (
        episode.server_begun,
        episode.server_finished,
        episode.attempts,
        episode.good,
    )
    if begun is None or finished is None or attempts is None or good is None:
        return
    most = attempts + (episode.reconnects or 0)
    if not good <= finished <= begun <= most:
        yield (
            f"the server began {begun} requests and finished {finished} by its own count, where {good} good answers of "
            f"{most} requests are known: look for a proxy that retries, or for another client"
        )


def renewed(episode: Episode, _: Thresholds) -> Iterator[str]:
    """What was deployed has answered.

    In the place of a killed worker none need have: clients keep to their connections, and new ones go to whoever is
    there first.
    """
    deployed = episode.deployed
    if deployed is None or deployed.new_from_s is not None:
        return
    if deployed.renewed:
        yield "no new worker has answered within the episode: lengthen during_s, or read the server's log"
    elif episode.disturbance.kind == "deploy" and episode.disturbance.how == "recycle":
        yield "no worker was recycled within the episode: lengthen during_s, or read the server's log"


RULES: tuple[Rule, ...] = (
    generator,
    steal,
    outside_load,
    well_before,
    was_there,
    reconciled,
    counted,
    renewed,
)


def reasons(episode: Episode, thresholds: Thresholds, seen: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Why `episode` may not be used; nothing when it may. `seen` are reasons that no record shows."""
    return seen + tuple(reason for rule in RULES for reason in rule(episode, thresholds))
