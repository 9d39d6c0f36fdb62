"""A disturbance as a suite states it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DefinitionError, UsageError
from harness.suite import Deploy, Held, Open, Options, Overload, Plan, block_times, build, load_suite

SCENARIO = """
[[scenario]]
name = "report"
about = "Takes long."
request = { path = "/slow?ms=3500" }
expect = { json = { waited_ms = 3500 } }
"""
PAIR = '[[pair]]\nscenario = "json"\n'


def plan(tmp_path: Path, text: str) -> Plan:
    """What a suite file of that text plans."""
    path = tmp_path / "own.toml"
    path.write_text(SCENARIO + text)
    return build(*load_suite(str(path)), Options(seed=1))


def test_a_pair_names_its_neighbour_and_has_episodes(tmp_path: Path) -> None:
    """Beside a pair of the same scenario that has none, in a group of its own."""
    text = 'disturbance = { kind = "held", request = "report", count = [4, 0, 2] }\n'
    quiet, disturbed = plan(tmp_path, PAIR + PAIR + text).groups
    assert (quiet.disturbance, quiet.neighbour) == (None, None)
    assert disturbed.disturbance == Held(request="report", count=(4, 0, 2))
    assert disturbed.disturbance.strengths == (0, 2, 4)
    assert disturbed.neighbour is not None
    assert disturbed.neighbour.requests[0].path == "/slow?ms=3500"


def test_pairs_with_the_same_disturbance_share_a_group(tmp_path: Path) -> None:
    """As others of one scenario do."""
    text = PAIR + 'disturbance = { request = "report" }\n'
    (group,) = plan(tmp_path, text + text).groups
    assert len(group.pairs) == 2


def test_episodes_are_in_the_estimate(tmp_path: Path) -> None:
    """They are most of such a block."""
    text = 'disturbance = { request = "report" }\n'
    quiet, disturbed = (plan(tmp_path, PAIR + more) for more in ("", text))
    assert block_times(disturbed, disturbed.groups[0]).total_s > block_times(quiet, quiet.groups[0]).total_s + 60


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{ request = "repor" }', r"pair\[0\]\.disturbance\.request: unknown scenario 'repor'; did you mean 'report'"),
        ("{ }", r"pair\[0\]\.disturbance\.request"),
        ('{ kind = "hold", request = "report" }', r"pair\[0\]\.disturbance: .*'hold'.*'held', 'deploy', 'overload'"),
        ('{ kind = "deploy", how = "pray" }', r"pair\[0\]\.disturbance\.how"),
        ('{ kind = "deploy" }', r"pair\[0\]\.disturbance\.how"),
        ('{ kind = "overload", times = [] }', r"pair\[0\]\.disturbance\.times"),
        ('{ kind = "overload", times = [0] }', r"pair\[0\]\.disturbance\.times\[0\]"),
        ('{ request = "report", count = [] }', r"pair\[0\]\.disturbance\.count"),
        ('{ request = "report", count = [-1] }', r"pair\[0\]\.disturbance\.count\[0\]"),
        ('{ request = "report", count = 4 }', r"pair\[0\]\.disturbance\.count"),
        ('{ request = "report", colour = 1 }', r"pair\[0\]\.disturbance\.colour: unknown key"),
        ('{ request = "report", during_s = 0.1 }', r"pair\[0\]\.disturbance\.during_s"),
        ('"report"', r"pair\[0\]\.disturbance"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tmp_path: Path, text: str, said: str) -> None:
    """In one message, before anything is launched."""
    with pytest.raises(DefinitionError, match=said):
        plan(tmp_path, f"{PAIR}disturbance = {text}\n")


@pytest.mark.parametrize(
    ("held", "situation", "requests"),
    [
        (Held(request="report"), "beside held report", "held report requests"),
        (
            Held(request="report", how="slow-read"),
            "beside held report (slow-read)",
            "held report (slow-read) requests",
        ),
        (
            Held(request="report", how="now-and-then", every_s=0.5),
            "beside report every 0.5 s",
            "report requests every 0.5 s",
        ),
    ],
)
def test_neighbours_are_called_by_what_they_do(held: Held, situation: str, requests: str) -> None:
    """What comes now and then is not called held."""
    assert (held.situation, held.requests) == (situation, requests)


OWN = """
[[target]]
name = "shop"
interface = "wsgi"
app = "shop:app"
packages = []
handler = "sync"
"""


def test_a_new_version_is_one_of_our_own_targets(tmp_path: Path) -> None:
    """There is no second version of somebody else's app, and no good guess where its files are."""
    pair = PAIR + 'workers = 2\ndisturbance = { kind = "deploy", how = "version" }\n'
    assert plan(tmp_path, pair).groups[0].disturbance == Deploy(how="version")
    own = OWN + pair + 'a = { target = "shop", server = "gunicorn-gthread" }\n'
    with pytest.raises(DefinitionError, match=r"pair\[0\]\.disturbance\.how: a new version is a copy.*shop is none"):
        plan(tmp_path, own)


def test_a_disturbance_has_one_generator() -> None:
    """Its course is kept by one."""
    with pytest.raises(UsageError, match=r"neighbours: a disturbance is watched by one generator.*--generators 2"):
        build(*load_suite("neighbours"), Options(seed=1, generators=2))


def test_an_overload_is_a_surge_over_connections_that_never_run_out() -> None:
    """Of clients that wait for the deadline: at twice 500/s for half a second 500 wait at once."""
    overload = Overload(times=(0.7, 2), rate_share=0.5, deadline_ms=500, before_s=2, during_s=3)
    offered = overload.offered(Open(connections=32, rate_rps=250.0), 200)
    assert (offered.arrivals, offered.rate_rps, offered.when_full) == ("surge:2:5:4", 250.0, "drop")
    assert offered.connections > 1000 * 0.5 * 1.4
    assert overload.patience_s == 0.5
    with pytest.raises(ValueError, match="lower deadline_ms, or choose a dearer request"):
        overload.offered(Open(connections=32, rate_rps=50_000.0), 200)


@pytest.mark.parametrize(("name", "kind"), [("deploys", Deploy), ("overload", Overload)])
def test_the_suites_that_come_with_it_have_their_disturbances(name: str, kind: type[Deploy | Overload]) -> None:
    """And fit into a quarter of an hour."""
    planned = build(*load_suite(name), Options(seed=1))
    assert {type(group.disturbance) for group in planned.groups} == {kind}
    assert planned.blocks * sum(block_times(planned, group).total_s for group in planned.groups) < 15 * 60
