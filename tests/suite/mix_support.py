"""A suite with a mix, written into a folder."""

from __future__ import annotations

from pathlib import Path

from harness.suite import Scenario, load_suite

PEOPLE = 'id,name,city\n7,Ada,Köln & Bonn\n42,"O\'Neil, ""Tip""",Rome\n'
SUITE = """
[[scenario]]
name = "mine"
about = "A mix."
data = "people.csv"
login = { path = "/login", body = '{"user": "ada", "password": "lovelace"}' }

[[scenario.request]]
name = "read"
weight = 5
path = "/people/{id}?city={city}"
expect = { json = { id = "{id:json}", name = "{name}", cities = ["{city}"] }, headers = { X-Id = "{id}" } }

[[scenario.request]]
name = "write"
method = "POST"
path = "/people"
headers = { Content-Type = "application/json", Authorization = "Bearer {token}" }
body = '{"name": "{name}", "id": {id:json}}'
expect = { status = 201, contains = "{name}" }

[[scenario.request]]
name = "plain"
path = "/front?as={{id}}"
expect = { status = 204 }

[[pair]]
scenario = "mine"
"""


def written(folder: Path, *changes: tuple[str, str], data: str | bytes = PEOPLE, name: str = "people.csv") -> Path:
    """The suite file, with each of the `changes` made in its text once, beside its data file."""
    text = SUITE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    file = folder / "mine.toml"
    file.write_text(text)
    return file


def read(folder: Path, *changes: tuple[str, str], data: str | bytes = PEOPLE, name: str = "people.csv") -> Scenario:
    """The scenario of that suite."""
    return load_suite(str(written(folder, *changes, data=data, name=name)))[0].scenarios["mine"]
