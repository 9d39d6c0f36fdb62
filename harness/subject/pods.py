"""`launch_pods` starts an arm in as many pods as its cell says, each with its part of the workers and of the budget."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import MemoryLimitError, ServiceError
from harness.machine.pods import NEEDS
from harness.machine.process import Process
from harness.subject.answers import ASK_S, Answer
from harness.subject.launch import Launched, launch
from harness.subject.services import HOST, Services, free_port
from harness.subject.together import Together
from harness.suite import Arm, Factor, Prepared


@dataclass(frozen=True, slots=True)
class Spread(Launched):
    """An arm that was launched in several pods; its own port and groups are those of the first, and all of them."""

    pods: tuple[Launched, ...] = ()

    @property
    def each(self) -> tuple[Launched, ...]:
        """See `Launched`."""
        return self.pods

    def killed(self) -> MemoryLimitError | None:
        """See `Launched`: of the first pod whose limit has done so."""
        return next(filter(None, (pod.killed() for pod in self.pods)), None)

    def wait_ready(self, timeout_s: float | None = None) -> float | None:
        """See `Launched`: until all are; the seconds are those of the slowest."""
        seconds = [pod.wait_ready(timeout_s) for pod in self.pods]
        seen = [each for each in seconds if each is not None]
        return max(seen) if len(seen) == len(seconds) else None

    def verify(self, request: Prepared | None = None, timeout_s: float = ASK_S) -> Answer:
        """See `Launched`: ask each pod; the last answer."""
        answers = [pod.verify(request, timeout_s) for pod in self.pods]
        return answers[-1]


@contextlib.contextmanager
def launch_pods(
    arm: Arm,
    factors: Iterable[Factor],
    services: Services,
    *,
    cpus: Sequence[int],
    log: Path,
    address: tuple[str, int] | None = None,
    key: str = "",
) -> Iterator[Launched]:
    """As `launch`, of an arm in one pod, in none, or in several; these have a port and a log each.

    What pods of one service share they share here: the same entries in a cache beside them, the same upstream.
    """
    varied, count = tuple(factors), arm.cell.pods
    if count == 1:
        with launch(arm, varied, services, cpus=cpus, log=log, address=address, key=key) as one:
            yield one
        return
    host = HOST if address is None else address[0]
    part = replace(arm, cell=arm.cell.part)
    with contextlib.ExitStack() as stack:
        pods, processes = [], []
        for number in range(1, count + 1):
            own_log = log.with_name(f"{log.stem}-pod{number}{log.suffix}")
            own_address = (host, free_port(host))
            pod = stack.enter_context(
                launch(part, varied, services, cpus=cpus, log=own_log, address=own_address, key=key)
            )
            try:
                pod.groups.weigh_together(count)
            except OSError as error:
                raise ServiceError(f"no pod for {arm.label}: {error}; {NEEDS}") from error
            assert isinstance(pod.process, Process)  # noqa: S101 - what runs already is in no pods
            pod.process.name += f", pod {number} of {count}"
            pods.append(pod)
            processes.append(pod.process)
        first, *others = pods
        together = Together(f"{arm.cell.target} on {arm.cell.server}", tuple(processes))
        groups = replace(first.groups, further=tuple(pod.groups for pod in others))
        stack.callback(together.ask_to_stop)
        yield Spread(arm, together, first.port, first.host, groups, pods=tuple(pods))
