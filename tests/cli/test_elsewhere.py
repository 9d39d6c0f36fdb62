"""`--on` and `--bind`: where the load comes from, and where it goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cli.elsewhere import bound, machines
from harness.errors import UsageError
from harness.spec.machines import Machine
from harness.suite import Options, build, load_suite
from harness.suite.address import reachable

TEN = Machine(host="ten", user="bench")


def test_machines_are_named_one_by_one() -> None:
    """Each by its role and its address."""
    assert machines(["generator=ssh://bench@ten", "generator=ssh://eleven"]) == (TEN, Machine(host="eleven"))
    assert machines([]) == ()


@pytest.mark.parametrize(
    ("on", "says"),
    [
        ("ssh://ten", r"--on \(the 1.\): write generator=ssh://"),
        ("generator", r"--on \(the 1.\): write generator=ssh://"),
        ("generator=ten", r"--on generator=... \(the 1.\): write ssh://"),
        ("server=ssh://ten", "servers run on this machine"),
        ("generator=ssh://a:geheim@ten", "holds a password"),
    ],
)
def test_what_names_no_generator_is_refused(on: str, says: str) -> None:
    """With what to write, and without a password."""
    with pytest.raises(UsageError, match=says) as refused:
        machines([on])
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ten", "write an IPv4 address"),
        ("::1", "write an IPv4 address"),
        ("0.0.0.0", "name one address"),  # noqa: S104 - which is refused
        ("198.51.100.77", "no address of this machine"),
    ],
)
def test_servers_listen_on_an_address_of_this_machine(address: str, says: str) -> None:
    """On one, which the load goes to."""
    with pytest.raises(UsageError, match=says):
        bound(address)
    assert bound("127.0.0.2") == "127.0.0.2"
    assert bound(None) == "127.0.0.1"


def test_generators_elsewhere_are_one_a_machine_unless_there_are_to_be_more() -> None:
    """And the plan says where, so that a run goes on there."""
    definitions, suite = load_suite("smoke")
    elsewhere = Options(seed=1, machines=(TEN, TEN), bind="10.0.0.1")
    plan = build(definitions, suite, elsewhere)
    assert (plan.generators, plan.machines, plan.bind, plan.together) == (2, (TEN, TEN), "10.0.0.1", True)
    assert build(definitions, suite, replace(elsewhere, generators=5)).generators == 5
    assert build(definitions, replace(suite, generators=4), elsewhere).generators == 4
    assert build(definitions, suite, replace(elsewhere, machines=(TEN,))).together
    assert not build(definitions, suite, Options(seed=1)).together
    with pytest.raises(UsageError, match="--generators 1: 2 machines are named"):
        build(definitions, suite, replace(elsewhere, generators=1))


def test_what_generators_elsewhere_cannot_drive_is_refused() -> None:
    """A server that only this machine reaches, and what is watched by one generator."""
    elsewhere = Options(seed=1, machines=(TEN,))
    definitions, suite = load_suite("smoke")
    with pytest.raises(UsageError, match=r"cannot reach servers on 127\.0\.0\.1: add --bind"):
        build(definitions, suite, elsewhere)
    with pytest.raises(UsageError, match="a disturbance is watched by one generator of this machine"):
        build(*load_suite("neighbours"), replace(elsewhere, bind="10.0.0.1"))
    running = {name: replace(target, url="http://127.0.0.1:1") for name, target in definitions.targets.items()}
    with pytest.raises(UsageError, match=r"at http://127\.0\.0\.1:1 is of this machine alone"):
        build(replace(definitions, targets=running), suite, replace(elsewhere, bind="10.0.0.1"))


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("http://10.0.0.5:8000", True),
        ("http://shop.example:8000", True),
        ("http://localhost:8000", False),
        ("http://127.1.2.3:8000", False),
        ("http://[::1]:8000", False),
        ("http+unix:/run/app.sock", False),
    ],
)
def test_what_is_of_one_machine_is_known_by_its_address(url: str, *, reached: bool) -> None:
    """A name is not resolved."""
    assert reachable(url) is reached
