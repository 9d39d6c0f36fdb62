"""Rules about a steady state: throughput, latency and requests in flight agree, and do not change within a slice."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.judge.statistics import moderated_t, normal_tail_as_t
from harness.judge.validity.slices import kept
from harness.record import Trial
from harness.suite import Thresholds

EDGES = 4.0
"""What the edges of a slice may do to Little's law, in units of sqrt(2 / connections) x response time / length.

Of a request that an edge cuts, only the part inside counts as in flight, but its latency counts whole. The standard
deviation of that is 0.9 units for exponential response times and 0.4 for a lognormal of sigma 0.5 (simulated)."""


def littles_law(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """Closed: in flight = throughput x mean latency (J. D. C. Little, Operations Research 9 (1961), 383-387)."""
    if trial.phase != "closed":
        return
    for slice_ in kept(trial):
        if not slice_.mean_latency_us or not slice_.throughput_rps or not slice_.length_s:
            continue
        in_flight = max(slice_.in_flight, 1e-9)
        expected = slice_.throughput_rps * slice_.mean_latency_us / 1e6
        response_s = min(slice_.mean_latency_us / 1e6, in_flight / slice_.throughput_rps)
        edges = EDGES * math.sqrt(2 / in_flight) * response_s / slice_.length_s
        if abs(expected / in_flight - 1) > max(thresholds.littles_law, edges):
            yield (
                f"Little's law is off in round {slice_.round}: {slice_.in_flight:.1f} requests in flight, but "
                f"throughput x mean latency is {expected:.1f}: {_why_off(trial)}"
            )
            return


def _why_off(trial: Trial) -> str:
    """What puts Little's law off, as far as the record shows it, and the remedy."""
    starved = max(slice_.starved or 0 for slice_ in kept(trial))
    if starved:
        return (
            f"up to {starved} of {trial.load.connections} connections starve, with less than a tenth of their share of "
            "the answers; use a server that shares, or put a proxy before this one"
        )
    return "not steady, or some connections starve; give slices more time (slice_s) or use fewer connections"


def connections_busy(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """Closed: every connection had a request in flight nearly all the time, and none had two."""
    if trial.phase != "closed":
        return
    connections = trial.load.connections
    for slice_ in kept(trial):
        if abs(slice_.in_flight / connections - 1) > thresholds.littles_law:
            yield (
                f"{slice_.in_flight:.1f} requests in flight in round {slice_.round} on {connections} connections that "
                "send back to back: the generator or the network held them up; use fewer connections, or see why they "
                "failed"
            )
            return


def halves(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """The second halves of the slices were as fast as their first halves, over all slices together.

    On a shared machine the halves of half a second differ by several percent with nothing wrong. So a trial is refused
    only for a difference that matters, and that so few slices do not show by chance.
    """
    log_ratios, scaled = [], []
    for slice_ in kept(trial):
        first, second = (rate * slice_.length_s / 2 + 0.5 for rate in slice_.half_rps)
        log_ratios.append(math.log(second / first))
        # Open: arrivals are Poisson. Closed: completions are more regular, so this errs to the safe side.
        scaled.append(log_ratios[-1] / math.sqrt(thresholds.halves**2 + 1 / first + 1 / second))
    if not log_ratios:
        return
    t, degrees = moderated_t(scaled)
    ratio = math.exp(sum(log_ratios) / len(log_ratios))
    if abs(t) > normal_tail_as_t(thresholds.halves_z, degrees) and abs(math.log(ratio)) > thresholds.halves:
        yield (
            f"no steady state: over {len(log_ratios)} slices the second half ran at {ratio:.2f} times the first: "
            "warm up longer, or give slices more time (slice_s)"
        )
