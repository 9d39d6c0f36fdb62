"""How far what drives the load is from what serves."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any, Self

import pytest

from harness.spec.agents import Reached
from harness.spec.machines import Machine
from harness.suite import Arm
from harness.trial import links as away
from harness.trial.links import links
from tests import factories

TEN, ELEVEN = Machine(host="ten"), Machine(host="eleven")
LAUNCHED = factories.arm("p1a")


def running(url: str) -> Arm:
    """An arm that runs already there."""
    return replace(factories.arm("p1b"), target=replace(factories.FASTAPI, app="", url=url))


def test_without_other_machines_there_is_no_link() -> None:
    """What runs already on this machine is on none either."""
    near = running("http://127.0.0.1:1")
    found = links(factories.plan(), [LAUNCHED, near], {})
    assert [found.of(LAUNCHED), found.of(near)] == [None, None]


@pytest.mark.parametrize(
    ("generators", "greeted", "expected"),
    [
        (2, {"ten": 200.0, "eleven": 400.0}, 300.0),
        (3, {"ten": 200.0, "eleven": 500.0}, 300.0),  # two of them on ten
        (2, {"ten": 200.0}, 200.0),
        (2, {}, None),
    ],
)
def test_of_several_generators_it_is_the_mean(
    generators: int, greeted: dict[str, float], expected: float | None
) -> None:
    """Each has its share of the requests, to whatever serves."""
    plan = factories.plan(generators=generators, machines=(TEN, ELEVEN))
    facts = {name: {"cpus": 8, "round_trip_us": us} for name, us in greeted.items()}
    found = links(plan, [LAUNCHED], {"generator_machines": facts, "server_machine": {"round_trip_us": 9000.0}})
    assert found.of(LAUNCHED) == expected
    assert found.of(running("http://10.0.0.9:80")) == expected


def test_servers_elsewhere_are_as_far_as_they_greeted() -> None:
    """From this machine, which drives them."""
    plan = factories.plan(server=TEN)
    assert links(plan, [LAUNCHED], {"server_machine": {"name": "ten", "round_trip_us": 212.4}}).of(LAUNCHED) == 212.4


class Connected:
    """A connection between two machines, or within one."""

    def __init__(self, here: str, there: str) -> None:
        self._names = here, there

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def getsockname(self) -> tuple[str, int]:
        """Our end."""
        return self._names[0], 1

    def getpeername(self) -> tuple[str, int]:
        """The other end."""
        return self._names[1], 2


def test_what_runs_already_is_reached_once_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is on another machine; of one that cannot be reached nothing is known."""
    ends = {"10.0.0.9": "10.0.0.1", "10.0.0.1": "10.0.0.1"}
    asked: list[str] = []

    def connect(address: tuple[str, int], _timeout_s: float) -> Connected:
        if address[0] not in ends:
            raise OSError("no route")
        return Connected(ends[address[0]], address[0])

    def reached(host: str, port: int) -> Reached:
        asked.append(f"{host}:{port}")
        return Reached(host=host, port=port, round_trip_us=5000.0)

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(away, "reached", reached)
    urls = ["http://10.0.0.9:81", "https://10.0.0.9", "http://10.0.0.9:81", "http://10.0.0.1:81", "http://10.0.0.8:81"]
    arms: list[Any] = [replace(running(url), id=f"t{number}") for number, url in enumerate(urls)]
    found = links(factories.plan(), arms, {})
    assert [found.of(arm) for arm in arms] == [5000.0, 5000.0, 5000.0, None, None]
    assert sorted(asked) == ["10.0.0.9:81", "tls:10.0.0.9:443"]
