"""How far what drives the load is from what serves: the round trip of the network, where there is one between them."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from harness.record.conditions import GENERATORS, SERVER
from harness.spec.hosts import without_tls
from harness.suite import Arm, Plan
from harness.suite.address import Address, address_of, reachable
from harness.trial.machines import REACH_S, reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The round trips of a sitting, in microseconds."""

    launched_us: float | None = None
    """To what is launched, and to all where generators are on other machines; None: to this machine, from itself."""
    running_us: Mapping[str, float] = field(default_factory=dict)
    """By arm, to what runs already elsewhere."""

    def of(self, arm: Arm) -> float | None:
        """To what serves `arm`; None where that is here, or nothing was reached."""
        return self.launched_us if not arm.target.url else self.running_us.get(arm.id, self.launched_us)


def links(plan: Plan, arms: Iterable[Arm], environment: Mapping[str, Any]) -> Links:
    """Those of a sitting whose `environment` has the machines as they greeted; what runs already is reached now.

    Of several generators it is the mean, for each has its share of the requests.
    """
    if plan.machines:
        facts = [
            environment.get(GENERATORS, {}).get(plan.machines[rank % len(plan.machines)].name, {})
            for rank in range(plan.generators)
        ]
        known = [each["round_trip_us"] for each in facts if each.get("round_trip_us") is not None]
        return Links(launched_us=round(mean(known), 1) if known else None)
    urls = {arm.id: arm.target.url for arm in arms if arm.target.url and reachable(arm.target.url)}
    found = {url: _away_us(address_of(url)) for url in set(urls.values())}
    running = {arm: found_us for arm, url in urls.items() if (found_us := found[url]) is not None}
    return Links(launched_us=environment.get(SERVER, {}).get("round_trip_us"), running_us=running)


def _away_us(address: Address) -> float | None:
    """The round trip to an address of another machine; None where it is one of this machine, or cannot be reached."""
    try:
        with socket.create_connection((without_tls(address.host), address.port), REACH_S) as probe:
            if probe.getsockname()[0] == probe.getpeername()[0]:
                return None
    except OSError:  # whoever drives it will see
        return None
    return reached(address.host, address.port).round_trip_us
