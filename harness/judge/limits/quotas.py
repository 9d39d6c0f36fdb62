"""Diagnoses of a server in a pod: what its quota does to it, and what it takes for its own CPUs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness import units
from harness.judge.limits.evidence import Evidence
from harness.judge.verdicts import Caveat
from harness.suite.pod import PERIOD_S
from harness.suite.pod import cpus as words


def throttled(evidence: Evidence) -> Iterator[Caveat]:
    """A server that stands still for the rest of a period once its quota is used up."""
    trial, quota, latency = evidence.trial, evidence.cell.cpus, evidence.trial.latency_us
    count, periods = trial.nr_throttled, trial.nr_periods
    if not evidence.throttled or quota is None or not count or not periods:
        return
    still_s = (trial.throttled_s or 0.0) / count
    p99 = f"; its p99 is {units.duration_us(latency.p99)}" if latency is not None and latency.p99 is not None else ""
    pods = evidence.cell.pods
    shared, whose = (f", shared by {pods} pods,", " of one pod each") if pods > 1 else ("", "")
    yield Caveat(
        kind="throttled",
        text=(
            f"its quota of {words(quota)}{shared} makes it stand still: in {count} of {periods} periods of "
            f"{units.seconds(PERIOD_S)}{whose} it was used up, and nothing ran for {units.seconds(still_s)} of each in "
            f"the mean, summed over its CPUs{p99}"
        ),
        remedy="give it a larger quota, let fewer threads and workers use CPU at once, or offer it less",
    )


def host_cores(evidence: Evidence) -> Iterator[Caveat]:
    """Workers as many as the host's cores ask for, in a pod that has few of them."""
    quota, host = evidence.cell.cpus, evidence.host_cpus
    if quota is None or host is None or math.ceil(quota) >= host:
        return
    serving = len(evidence.trial.worker_shares)
    masters = (evidence.trial.processes or 0) - evidence.cell.pods
    if (naive := 2 * host + 1) in {serving, masters, evidence.cell.workers}:
        count, rule = naive, f"2 x {host} + 1"
    elif serving in {host, 2 * host} and serving > evidence.cell.workers:
        count, rule = serving, str(host) if serving == host else f"2 x {host}"
    else:
        return
    yield Caveat(
        kind="host-cores",
        text=(
            f"workers by the host's cores: {count} workers are {rule}, and the host has {host} CPUs; the pod has "
            f"{words(quota)}, which {units.plural(max(1, math.ceil(quota)), 'worker')} can use up"
        ),
        remedy=(
            "state the number of workers: os.cpu_count() counts the host's CPUs, the pod's quota stands in cpu.max of "
            "its cgroup (PYTHON_CPU_COUNT tells Python 3.13 and newer)"
        ),
    )
