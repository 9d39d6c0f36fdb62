"""Another machine that servers and their services run on, through the agent there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.errors import GatebenchError, MemoryLimitError, ServiceError
from harness.machine.logs import scrub
from harness.machine.placement import Placement, place, usable_cpus
from harness.subject.launch import Launched
from harness.subject.prepare import COMMAND_S
from harness.subject.receipts import Receipts
from harness.subject.services import Services
from harness.suite import Arm, Disturbance, Plan
from harness.trial.link import CALL_S, Link
from harness.trial.machines import considered, talk
from harness.trial.proxies import ProcessThere, ServerThere, WatchThere

SETTLE_S = 120.0
LOG = "servers-machine.log"
"""What ssh says."""


class There:
    """The machine that `plan.server` names, for one run. A link that is lost is made anew before the next block."""

    overlaps = False
    """An agent knows a server by its arm: it has one of each."""

    waits_at_once = False
    """Its agent does one call after the other."""

    def __init__(self, plan: Plan, logs: Path, link: Link, ends: ExitStack) -> None:
        """Use `sited`; `ends` ends the link."""
        self._plan, self._logs, self._ends = plan, logs, ends
        self._link = link
        self._away: ServiceError | None = None
        """Why it could not be talked to anew."""
        self._placement: Placement | None = None
        self._considered = considered(link, plan)
        self._services = ServicesThere(self)

    def call(self, what: str, patience_s: float = CALL_S, /, **told: Any) -> Any:
        """What comes of a call; raises `GatebenchError` with paths of logs as they are here."""
        try:
            value = self._link.call(what, patience_s, **told)
        except MemoryLimitError as error:
            text = self.as_here(str(error))
            raise MemoryLimitError(text, oom_kills=error.oom_kills, peak_bytes=error.peak_bytes) from None
        except GatebenchError as error:
            if (lost := self.lost()) is not None:
                raise lost from None
            raise type(error)(self.as_here(str(error))) from None
        return self.as_here(value) if isinstance(value, str) else value

    def receipts(self, _arms: Iterable[Arm]) -> Receipts:
        """See `Site`."""
        return self._considered.receipts

    def generator_cpus(self, plan: Plan, _placement: Placement) -> tuple[int, ...]:
        """See `Site`: what no server needs here."""
        return place(usable_cpus(), generators=1 if plan.machines else plan.generators).generator

    def boot(self) -> str:
        """See `Site`."""
        return self._considered.boot

    @contextmanager
    def beside(
        self, _plan: Plan, _arms: Sequence[Arm], placement: Placement, _logs: Path, _missing: dict[str, str]
    ) -> Iterator[tuple[Services, dict[str, str]]]:
        """See `Site`."""
        self._placement = placement
        try:
            yield self._services, self._start()
        finally:
            if self.lost() is None:
                for name, text in self.call("finish", COMMAND_S).items():
                    self.keep(name, text)

    @contextmanager
    def launch(
        self,
        arm: Arm,
        plan: Plan,
        services: Services,
        *,
        cpus: Sequence[int],
        log: Path,
        key: str,
        disturbance: Disturbance | None,
    ) -> Iterator[Launched]:
        """See `Site`."""
        del services, cpus, disturbance  # there they are known; nothing is disturbed there
        host, port = self.call("launch", arm=arm.id, key=key, host=plan.bind)
        try:
            yield ServerThere(arm, ProcessThere(self, arm), port, host)
        finally:
            with suppress(ServiceError):  # it is lost, and so is its log
                self.keep(log.name, self.call("stop", arm=arm.id))

    def settle(self, servers: Sequence[Launched]) -> None:
        """See `Site`."""
        with suppress(ServiceError):  # whoever drives them will see
            self.call("settle", SETTLE_S, arms=[server.arm.id for server in servers])

    def readings(self) -> WatchThere:
        """See `Site`."""
        return WatchThere(self)

    def lost(self) -> ServiceError | None:
        """See `Site`."""
        return self._away or self._link.lost()

    def mend(self) -> None:
        """Talk to the machine anew where it is lost; it stays lost where that does not come to pass."""
        if self.lost() is None:
            return
        self._ends.close()
        self._away = None
        server = self._plan.server
        assert server is not None  # noqa: S101 - it was talked to
        try:
            with ExitStack() as ends:
                self._link = ends.enter_context(talk(server, self._logs / LOG))
                self._considered = considered(self._link, self._plan)
                self._start()
                self._ends.push(ends.pop_all())
        except GatebenchError as error:
            self._away = ServiceError(f"the servers' machine {server.name} is lost: {error}")

    def keep(self, name: str, text: str) -> None:
        """Add what was logged there to the log of that name here, which errors name."""
        self._logs.mkdir(exist_ok=True)
        path = self._logs / Path(name).name
        with path.open("a", encoding="utf-8") as log:
            log.write(text)
        scrub(path)  # there, tokens that we were given are not known

    def _start(self) -> dict[str, str]:
        assert self._placement is not None  # noqa: S101 - the services were asked for
        patience_s = COMMAND_S * (1 + sum(len(arm.target.setup) for group in self._plan.groups for arm in group.arms))
        begun = self.call("start", patience_s, placement=self._placement.as_dict())
        self._services.redis_version = begun["redis_version"]
        missing: dict[str, str] = begun["missing"]
        return {arm: self.as_here(why) for arm, why in missing.items()}

    def as_here(self, text: str) -> str:
        """What was said there, with the folder of logs that is here."""
        return text.replace(self._considered.logs, str(self._logs))


class ServicesThere(Services):
    """The services beside the servers."""

    __slots__ = ("_there",)

    def __init__(self, there: There) -> None:
        super().__init__()
        self._there = there

    def hits(self) -> dict[str, int]:
        """See `Services`."""
        hits: dict[str, int] = self._there.call("hits")
        return hits

    def missing(self, service: str) -> str:
        """See `Services`."""
        return self.problem(service)

    def problem(self, service: str) -> str:
        """See `Services`."""
        try:
            return str(self._there.call("problem", service=service))
        except ServiceError as error:
            return str(error)

    def dead(self) -> dict[str, str]:
        """See `Services`."""
        dead: dict[str, str] = self._there.call("dead")
        return {service: self._there.as_here(how) for service, how in dead.items()}

    def heal(self) -> bool:
        """See `Services`; a machine that is lost is talked to anew."""
        self._there.mend()
        try:
            return bool(self._there.call("heal"))
        except ServiceError:
            return False


@contextmanager
def sited(plan: Plan, logs: Path) -> Iterator[There]:
    """The machine of `plan.server`; raises `LaunchError` or `UsageError` where it cannot be talked to."""
    assert plan.server is not None  # noqa: S101 - the caller asks
    with ExitStack() as ends:
        link = ends.enter_context(talk(plan.server, logs / LOG))
        yield There(plan, logs, link, ends)
