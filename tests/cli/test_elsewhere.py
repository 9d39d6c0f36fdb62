"""`--on` and `--bind`: where the load comes from, and where it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.elsewhere import asked_elsewhere, bound, facts, machines, placed_there
from harness.errors import UsageError
from harness.machine.placement import Placement
from harness.spec.machines import Machine
from harness.subject.receipts import Receipts
from harness.suite import Definitions, Options, Suite, build, load_suite
from harness.suite.address import reachable
from harness.trial.machines import Considered

TEN = Machine(host="ten", user="bench")


def test_machines_are_named_one_by_one() -> None:
    """Each by its role and its address."""
    eleven = Machine(host="eleven")
    assert machines(["generator=ssh://bench@ten", "generator=ssh://eleven"]) == ((TEN, eleven), None)
    assert machines(["server=ssh://eleven", "generator=ssh://bench@ten"]) == ((TEN,), eleven)
    assert machines([]) == ((), None)


@pytest.mark.parametrize(
    ("on", "says"),
    [
        ("ssh://ten", r"--on \(the 1.\): write generator=ssh://"),
        ("generator", r"--on \(the 1.\): write generator=ssh://"),
        ("generator=ten", r"--on generator=... \(the 1.\): write ssh://"),
        ("upstream=ssh://ten", "write generator=ssh://... or server=ssh://"),
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
    ],
)
def test_servers_listen_on_one_address(address: str, says: str) -> None:
    """Which the load goes to."""
    with pytest.raises(UsageError, match=says):
        bound(address)
    assert bound("127.0.0.2") == "127.0.0.2"
    assert bound(None) is None


def test_servers_of_this_machine_listen_on_an_address_of_this_machine() -> None:
    """It is asked for before anything else is."""
    plan = build(*load_suite("smoke"), Options(seed=1, machines=(TEN,), bind="198.51.100.77"))
    with pytest.raises(UsageError, match=r"--bind 198\.51\.100\.77: no address of this machine"):
        asked_elsewhere(plan)
    assert facts(asked_elsewhere(build(*load_suite("smoke"), Options(seed=1)))) == {}


def table(folder: Path, text: str) -> tuple[Definitions, Suite]:
    """A suite with that table [machines]."""
    path = folder / "apart.toml"
    path.write_text(f"[machines]\n{text}\n[[pair]]\nscenario = 'json'\n")
    return load_suite(str(path))


def test_a_suite_names_machines_as_the_options_do_and_the_options_win(tmp_path: Path) -> None:
    """Each role for itself."""
    suite = table(tmp_path, "generator = ['ssh://bench@ten']\nserver = 'ssh://10.0.0.3'\nbind = '10.0.0.4'")
    plan = build(*suite, Options(seed=1))
    assert (plan.machines, plan.server, plan.bind) == ((TEN,), Machine(host="10.0.0.3"), "10.0.0.4")
    eleven = Machine(host="eleven")
    plan = build(*suite, Options(seed=1, server=eleven, bind="10.0.0.5"))
    assert (plan.machines, plan.server, plan.bind) == ((TEN,), eleven, "10.0.0.5")
    plan = build(*suite, Options(seed=1, machines=(eleven, eleven)))
    assert (plan.machines, plan.generators, plan.bind) == ((eleven, eleven), 2, "10.0.0.4")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("generator = ['ssh://ten', 'ten']", r"apart.toml: machines.generator\[1\]: write ssh://"),
        ("server = 'ssh://a:geheim@ten'", "apart.toml: machines.server: holds a password"),
        ("bind = 'ten'", "apart.toml: machines.bind: write an IPv4 address"),
        ("upstream = 'ssh://ten'", "apart.toml: machines.upstream: unknown key"),
    ],
)
def test_what_is_wrong_with_the_table_is_said_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    """Without a password."""
    with pytest.raises(UsageError, match=says) as refused:
        table(tmp_path, text)
    assert "geheim" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_servers_elsewhere_listen_where_their_machine_is_reached() -> None:
    """By its address; a name may lead anywhere, so then it must be said."""
    definitions, suite = load_suite("smoke")
    server = Machine(host="10.0.0.3", user="bench")
    assert build(definitions, suite, Options(seed=1, server=server)).bind == "10.0.0.3"
    assert build(definitions, suite, Options(seed=1, server=server, bind="10.1.0.3")).bind == "10.1.0.3"
    with pytest.raises(UsageError, match="servers on bench@ten are reached by their address: add --bind"):
        build(definitions, suite, Options(seed=1, server=TEN))


def test_what_servers_elsewhere_cannot_be_is_refused() -> None:
    """What runs already, a commit that lies here, and what is disturbed."""
    definitions, suite = load_suite("smoke")
    elsewhere = Options(seed=1, server=TEN, bind="10.0.0.3")
    with pytest.raises(UsageError, match="a disturbance is watched by one generator of this machine"):
        build(*load_suite("neighbours"), elsewhere)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"url": "http://10.0.0.3:1"}, "runs already"),
        ({"commit": "0" * 40}, "is a commit"),
    ]
    for changed, says in cases:
        targets = {name: replace(target, **changed) for name, target in definitions.targets.items()}
        with pytest.raises(UsageError, match=f"{says}.*leave out --on server"):
            build(replace(definitions, targets=targets), suite, elsewhere)


def test_server_cpus_are_of_the_servers_machine() -> None:
    """Of those that it has."""
    there = Considered(
        boot="a",
        placement=Placement(server=(0, 1, 2), generator=(), services=(3,)),
        receipts=Receipts(versions={}, missing={}),
        logs="/there",
    )
    assert placed_there(there, None) == there.placement
    assert placed_there(there, 2).server == (0, 1)
    with pytest.raises(UsageError, match="--server-cpus 4: on their machine servers can have 1 to 3"):
        placed_there(there, 4)


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
