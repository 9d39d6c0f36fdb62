"""Factors as data: what a row says is all that the harness knows of it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from harness.errors import DefinitionError
from harness.spec.loads import PHASES
from harness.suite import Cell, Factor, Options, Plan, build, load_definitions, load_suite
from harness.suite.model import RESERVED
from tests import factories

OWN = """
[[factor]]
name = "orm"
levels = ["sync", "async", 3]
default = "sync"
on = "side"
env = "SHOP_ORM"
targets = { flask = ["async", "sync"], fastapi = ["sync", "async", 3] }
words = { sync = "sync ORM" }

[[pair]]
scenario = "json"
a = { target = "flask", server = "gunicorn-gthread", orm = "sync" }
b = { target = "fastapi", server = "uvicorn", orm = 3 }

[[pair]]
scenario = "json"
"""


def plan_of(text: str, folder: Path, **options: object) -> Plan:
    """The plan of a suite that says `text`."""
    path = folder / "own.toml"
    path.write_text(text)
    definitions, suite = load_suite(str(path))
    return build(definitions, suite, Options(seed=1, **options))  # type: ignore[arg-type]


def test_suites_plan_the_cells_that_they_planned_before_factors_were_data() -> None:
    """The file was written by the version before: each arm of each shipped suite, with its load."""
    with (Path(__file__).parent / "cells_before_factors.csv").open() as file:
        before = list(csv.DictReader(file))
    after = []
    for name in sorted({row["suite"] for row in before}):
        definitions, suite = load_suite(name)
        plan = build(definitions, suite, Options(seed=7))
        for group in plan.groups:
            for arm in group.arms:
                levels = {key: str(arm.cell.keys[key]) for key in before[0] if key in arm.cell.keys}
                rate = {"rate_rps": "" if arm.rate_rps is None else str(arm.rate_rps)}
                load = {"connections": str(arm.connections), **rate, "phases": "+".join(group.phases)}
                after.append({"suite": name, "arm": arm.id, **levels, **load})
    assert after == before


def test_a_suite_varies_a_factor_of_its_own(tmp_path: Path) -> None:
    """Stated on a side, else at the target's first level; it is filtered by, and named in the words that it states."""
    plan = plan_of(OWN, tmp_path)
    arms = {arm.id: arm for group in plan.groups for arm in group.arms}
    assert {name: arm.cell.level("orm") for name, arm in arms.items()} == {
        "p1a": "sync",
        "p1b": 3,
        "p2a": "async",
        "p2b": "sync",
    }
    assert arms["p1a"].own == ("8 threads", "sync ORM")
    assert arms["p1b"].own == ("orm 3",)
    kept = plan_of(OWN, tmp_path, wanted="orm=3")
    assert [pair.id for group in kept.groups for pair in group.pairs] == ["p1"]


@pytest.mark.parametrize("name", sorted({*RESERVED, *Cell.__slots__, "pair", "load"} - {"levels"}))
def test_a_factor_is_not_called_like_a_key_of_cell_pair_or_load(tmp_path: Path, name: str) -> None:
    """It is refused by its name, with file and key."""
    factor = OWN.partition("[[pair]]")[0].replace('name = "orm"', f'name = "{name}"')
    with pytest.raises(DefinitionError) as caught:
        plan_of(f'{factor}\n[[pair]]\nscenario = "json"\n', tmp_path)
    assert f"factor[0].name: {name!r} is a key of cell, pair or load" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('default = "sync"', 'default = "later"', "default: 'later' is none of the levels"),
        ('["sync", "async", 3]\ndefault', '["sync", "sync"]\ndefault', "levels: one at least, and no two alike"),
        ('["sync", "async", 3]\ndefault', '"count"\ndefault', "levels: 'count' is for workers and threads only"),
        ('env = "SHOP_ORM"', "", "env: no target or server gets orm"),
        ('sync = "sync ORM"', 'later = "x"', "words.later: is none of the levels"),
        ('{ flask = ["async", "sync"]', '{ flask = ["later"]', "targets.flask: 'later' is none of the levels"),
        ("{ flask = [", "{ flsk = [", "targets.flsk: unknown target 'flsk'; did you mean 'flask'?"),
        ("orm = 3", 'orm = "3"', "pair[0].b.orm: '3' is no level of orm; it has sync, async, 3"),
        ('scenario = "json"\na', 'scenario = "json"\norm = "sync"\na', "pair[0].orm: stands on a side"),
        ("words = {", 'effect = "{what}"\nwords = {', "effect: only {low} and {high} may stand in braces"),
        ("words = {", 'fills = { sync = ["-s"] }\nwords = {', "fills: says nothing of 3, async"),
    ],
)
def test_a_factor_that_contradicts_itself_is_refused_by_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """Each mistake is one sentence."""
    assert old in OWN
    with pytest.raises(DefinitionError) as caught:
        plan_of(OWN.replace(old, new, 1), tmp_path)
    assert problem in str(caught.value)


def test_a_baseline_comes_first_in_an_effect() -> None:
    """None before all, then a target's default, then the order of the levels."""
    client, gc = load_definitions().factors["client"], load_definitions().factors["gc"]
    threadpool = load_definitions().targets["fastapi-threadpool"]
    ranked = sorted(("aiohttp", "requests", "none", "httpx"), key=lambda level: client.rank(level, threadpool))
    assert ranked == ["none", "httpx", "requests", "aiohttp"]
    assert gc.rank("none", threadpool) < gc.rank("freeze", threadpool)


def test_a_factor_of_a_server_applies_where_its_placeholder_stands() -> None:
    """In the server's argv; elsewhere it stands at none."""
    factor = Factor(name="loop", levels=("uvloop", "asyncio"), default="uvloop", on="side")
    takes = factories.server(argv=("--loop", "{loop}", "{port}", "{app}"))
    assert factor.level(factories.FASTAPI, takes, factories.JSON) == "uvloop"
    assert factor.level(factories.FASTAPI, factories.UVICORN, factories.JSON) == "none"


def test_every_phase_has_its_load() -> None:
    """The kinds of load are the phases, closed first."""
    assert tuple(load.kind for load in factories.loads(*PHASES)) == PHASES == ("closed", "open")
