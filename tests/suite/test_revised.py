"""A suite at two revisions of what it judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.suite import Definitions, Options, Suite, Target, build, load_suite
from harness.suite.revised import judged, revised
from harness.suite.secrets import of_definitions

SUITE = """
[[target]]
name = "shop"
interface = "asgi"
app = "shop:app"
packages = []
handler = "async"
env = { API_TOKEN = "sesame-sesame" }

[[factor]]
name = "orm"
levels = ["sync", "async"]
default = "sync"
on = "side"
env = "SHOP_ORM"
targets = { shop = ["async", "sync"] }

[[pair]]
scenario = "json"
b = { target = "shop", server = "uvicorn", orm = "sync" }

[[pair]]
scenario = "json"
b = { target = "shop", server = "uvicorn" }

[[pair]]
scenario = "json"
a = { target = "fastapi", server = "uvicorn" }
b = { target = "shop", server = "uvicorn" }
"""
OLD, NEW = "1" * 40, "2" * 40


def loaded(folder: Path) -> tuple[Definitions, Suite]:
    """That suite."""
    path = folder / "shop.toml"
    path.write_text(SUITE)
    return load_suite(str(path))


def versions(shop: Target) -> dict[str, tuple[Target, ...]]:
    """It at two commits."""
    old = replace(shop, name="shop@main", revision="main", commit=OLD)
    return {"shop": (old, replace(shop, name="shop@HEAD", revision="HEAD", commit=NEW))}


def test_each_pair_compares_its_b_at_both_revisions(tmp_path: Path) -> None:
    """On its server and at its levels; pairs that differed in their a alone are one."""
    definitions, suite = loaded(tmp_path)
    assert judged(suite) == ("shop",)
    group = build(*revised(definitions, suite, versions(definitions.targets["shop"])), Options(seed=1)).groups[0]
    arms = [(arm.cell.target, arm.target.commit, arm.cell.server, arm.cell.level("orm")) for arm in group.arms]
    assert arms == [
        ("shop@main", OLD, "uvicorn", "sync"),
        ("shop@HEAD", NEW, "uvicorn", "sync"),
        ("shop@main", OLD, "uvicorn", "async"),
        ("shop@HEAD", NEW, "uvicorn", "async"),
    ]
    assert group.arms[0].own == (OLD[:10], "orm sync")
    assert not any(pair.null for pair in group.pairs)


def test_the_same_revision_twice_is_an_a_a_pair(tmp_path: Path) -> None:
    """It is compared with itself, as equal sides of a suite are."""
    definitions, suite = loaded(tmp_path)
    old, _ = versions(definitions.targets["shop"])["shop"]
    group = build(*revised(definitions, suite, {"shop": (old, old)}), Options(seed=1)).groups[0]
    assert all(pair.null for pair in group.pairs)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    """It would be measured in its place."""
    definitions, suite = loaded(tmp_path)
    both = versions(definitions.targets["shop"])
    taken = replace(definitions, targets=definitions.targets | {"shop@main": definitions.targets["shop"]})
    with pytest.raises(UsageError, match="a target is called shop@main already"):
        revised(taken, suite, both)


def test_a_secret_of_a_revision_is_that_of_the_suite(tmp_path: Path) -> None:
    """So that a resume finds it again in the file, which knows of no revision."""
    definitions, suite = loaded(tmp_path)
    there, _ = revised(definitions, suite, versions(definitions.targets["shop"]))
    assert of_definitions(definitions) == of_definitions(there)
    assert of_definitions(there)["target shop: env.API_TOKEN"] == "sesame-sesame"
