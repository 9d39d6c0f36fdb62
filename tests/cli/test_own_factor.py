"""A suite of a user's own with a factor of its own, on an app of its own, from TOML to the report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from harness import record
from tests.cli.test_cli import gatebench

APP = """
import os

TURNS = {"sync": 1, "async": 200_000}[os.environ["SHOP_ORM"]]


def app(environ, start_response):
    total = sum(range(TURNS))
    body = b'{"basket": 3}'
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""
SUITE = """
about = "What an asynchronous ORM costs a shop that is not."
blocks = 3
rounds = 1
phases = ["closed"]
slice_s = 0.2

[thresholds]
steal = 1.0
outside_load = 1.0
generator_waiting = 1.0
generator_cpu_percent = 100000.0
halves = 9.0
littles_law = 0.9

[[target]]
name = "shop"
interface = "wsgi"
app = "shop:app"
folder = "."
packages = []
handler = "sync"

[[factor]]
name = "orm"
levels = ["sync", "async"]
default = "sync"
on = "side"
env = "SHOP_ORM"
targets = { shop = ["sync", "async"] }
words = { sync = "sync ORM", async = "async ORM" }

[[scenario]]
name = "basket"
about = "A basket."
request = { path = "/basket" }
expect = { json = { basket = 3 } }
connections = 8

[[pair]]
scenario = "basket"
a = { target = "shop", server = "gunicorn-gthread" }
b = { target = "shop", server = "gunicorn-gthread", orm = "async" }
"""


@pytest.mark.live
def test_a_factor_of_a_users_own_is_measured_and_reported_like_ours(tmp_path: Path) -> None:
    """Its effect has an interval in report and JSON, its column stands in summary.csv, and a filter knows it."""
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "shop.toml").write_text(SUITE)
    planned = gatebench("plan", "shop.toml", "--filter", "orm=async", "--json", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert [arm["cell"]["orm"] for arm in json.loads(planned.stdout)["groups"][0]["arms"]] == ["sync", "async"]
    assert gatebench("plan", "shop.toml", "--filter", "orm=later", cwd=tmp_path).returncode == 2

    measured = gatebench("run", "shop.toml", "--out", "mine", cwd=tmp_path)
    assert measured.returncode == 0, measured.stderr
    run = record.read(tmp_path / "mine")
    assert all(trial.valid for trial in run.trials), [trial.reasons for trial in run.trials]
    assert {trial.cell.level("orm") for trial in run.trials} == {"sync", "async"}

    compared = json.loads(gatebench("compare", "mine", "--json", cwd=tmp_path).stdout)
    effect = next(each for each in compared["effects"] if each["metric"] == "throughput_rps")
    assert (effect["factor"], effect["low_level"], effect["high_level"]) == ("orm", "sync", "async")
    assert effect["low"] <= effect["ratio"] <= effect["high"]
    assert effect["ratio"] < 0.9
    assert compared["pairs"][0]["factors"]["b"]["orm"] == "async"

    table = pd.read_csv(tmp_path / "mine" / "summary.csv")
    arms = table[(table["kind"] == "arm") & (table["metric"] == "throughput_rps")]
    assert dict(zip(arms["id"], arms["orm"], strict=True)) == {"p1a": "sync", "p1b": "async"}
    page = (tmp_path / "mine" / "report.html").read_text()
    assert "async ORM" in page
    assert re.search(r"orm sync → async", page)
