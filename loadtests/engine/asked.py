"""What is asked of an arm, one request or a mix: decided before the slices, so that no request needs to ask."""

from __future__ import annotations

from typing import Protocol

from harness.spec import DrivenArm, Request
from loadtests.engine.driver import Connect
from loadtests.engine.exchange import Exchange, spread
from loadtests.engine.mixture import Mixture
from loadtests.engine.recorder import FOR_EVER_NS, Display, Recorder, Window
from loadtests.engine.wire import Connection


class Asked(Protocol):
    """What the slices of one arm have in common."""

    @property
    def exchange(self) -> Exchange:
        """The address and the time-outs."""

    def recording(
        self, window: Window, display: Display | None, seed: str, *, stall_ns: int = FOR_EVER_NS
    ) -> tuple[Recorder, Connect]:
        """The recorder of a slice, and how its connections are made; `seed` is that of the slice."""


class Single:
    """One request, sent every time."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def recording(
        self,
        window: Window,
        display: Display | None,
        seed: str,
        *,
        stall_ns: int = FOR_EVER_NS,
    ) -> tuple[Recorder, Connect]:
        """A recorder, and plain connections."""
        if self.exchange.backends is not None:
            self.exchange.backends.begin(seed)
        return Recorder(window, display, stall_ns=stall_ns), Connection


def asked(arm: DrivenArm, *, connect_timeout_s: float, read_timeout_s: float) -> Asked:
    """What is asked of `arm`; raises as `Exchange` does."""
    backends = spread(arm.host, (arm.port, *arm.further_ports))
    if isinstance(arm.request, Request):
        return Single(
            Exchange(
                arm.request,
                arm.host,
                arm.port,
                connect_timeout_s=connect_timeout_s,
                read_timeout_s=read_timeout_s,
                backends=backends,
            )
        )
    return Mixture(
        arm.request,
        arm.host,
        arm.port,
        f"{arm.arrivals_seed}/mix",
        connect_timeout_s=connect_timeout_s,
        read_timeout_s=read_timeout_s,
        backends=backends,
    )
