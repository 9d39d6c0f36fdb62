"""TOML to frozen dataclasses, strictly."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.errors import DefinitionError, UsageError
from harness.suite import BENCHMARKS, load_definitions, load_suite, suite_names

GOOD = """
about = "mine"

[[target]]
name = "mine"
interface = "asgi"
app = "app:app"
packages = ["fastapi"]
handler = "async"
python = "venv/bin/python"

[[scenario]]
name = "hello"
about = "A greeting."
[scenario.request]
path = "/hello"
[scenario.expect]
json = { hello = "world" }

[[pair]]
scenario = "hello"
a = { target = "mine", server = "uvicorn-h11" }
b = { target = "mine", server = "uvicorn" }
"""


def test_every_shipped_suite_loads() -> None:
    """The shipped definitions have no problem, and there are all the suites that the README names."""
    named = {"smoke", "quick", "full", "null", "workers", "clients", "servers", "sweep", "traps", "migration", "mix"}
    assert named | {"neighbours"} <= set(suite_names())
    for name in suite_names():
        _, suite = load_suite(name)
        assert suite.pairs
        assert suite.about.strip()


def test_a_suite_file_of_the_user_adds_targets_and_scenarios(tmp_path: Path) -> None:
    """Paths are relative to the file; the interpreter is not resolved through its symlink."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    definitions, suite = load_suite(str(path))
    target = definitions.targets["mine"]
    assert suite.name == "mine"
    assert target.folder == str(tmp_path)
    assert target.python == str(tmp_path / "venv/bin/python")
    assert definitions.targets["flask"].python == sys.executable
    assert definitions.targets["flask"].folder == str(BENCHMARKS.parent)


def test_every_problem_is_reported_at_once_with_file_and_key(tmp_path: Path) -> None:
    """Unknown keys, wrong types, bad references and duplicates come together."""
    path = tmp_path / "bad.toml"
    path.write_text(
        GOOD
        + """
[[pair]]
scenario = "helo"
b = { target = "mine", server = "uvicorn", thread = 3 }

[[target]]
name = "flask"
interface = "wsgi"
app = "x:y"
packages = []
handler = "sync"

[[server]]
name = "odd"
interface = "asgi"
argv = ["{python}", "{nothing}"]
packages = []
slots = "many"
"""
    )
    with pytest.raises(DefinitionError) as caught:
        load_suite(str(path))
    problems = "\n".join(caught.value.problems)
    assert f"{path}: pair[1].b.thread: unknown key" in problems
    assert "target[1].name: 'flask' is defined twice" in problems
    assert "server[0].slots: Input should be 'one', 'threads' or 'loop'" in problems


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ('scenario = "jsn"', "pair[0].scenario: unknown scenario 'jsn'; did you mean 'json'?"),
        (
            'scenario = "json"\nworkers = "4"',
            "pair[0].workers: '4' is no number of workers: write a whole number from 1 on",
        ),
        ('scenario = "json"\nb = { target = "fastapi", server = "gunicorn-sync" }', "serves wsgi, fastapi is asgi"),
        ('scenario = "json"\nb = { target = "fastapi", server = "uvicorn", threads = 4 }', "has no threads to set"),
        (
            'scenario = "json"\nb = { target = "fastapi", server = "uvicorn", client = "curl" }',
            "b.client: 'curl' is no level of client",
        ),
        (
            'scenario = "json"\nb = { target = "fastapi", server = "uvicorn", gc = "off" }',
            "b.gc: 'off' is no level of gc; it has none, freeze",
        ),
        ('scenario = "json"\nworkers = 2\na = { target = "flask", server = "waitress" }', "one worker process only"),
        ('scenario = "json"\npooling = true', "pair[0]: Value error, pooling: a level is a string or a whole number"),
        ('scenario = "json"\nclient = "httpx"', "pair[0].client: stands on a side"),
        ('scenario = "json"\npooling = "pool"', "pair[0].pooling: scenario json does not vary it"),
        (
            'scenario = "external-data"\nb = { target = "fastapi", server = "uvicorn", client = "requests" }',
            "b.client: fastapi has httpx, httpx2, aiohttp, not requests",
        ),
        ('scenario = "json"\npooling = "maybe"', "pair[0].pooling: 'maybe' is no level of pooling; it has none, pool"),
    ],
)
def test_a_pair_that_asks_for_what_does_not_exist_is_refused_by_key(tmp_path: Path, pair: str, problem: str) -> None:
    """A reference or a rule that does not hold is named by its key."""
    path = tmp_path / "pairs.toml"
    path.write_text(f"[[pair]]\n{pair}\n")
    with pytest.raises(DefinitionError) as caught:
        load_suite(str(path))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ('{ fronts = ["tls"] }', "server[0].tls.fronts: unknown factor 'fronts'; did you mean 'front'?"),
        ('{ front = ["tsl"] }', "server[0].tls.front: 'tsl' is no level of front; it has plain, access-log, tls"),
        ('"yes"', "server[0].tls"),
    ],
)
def test_where_tls_is_spoken_is_said_by_factors_and_levels_that_exist(tmp_path: Path, tls: str, problem: str) -> None:
    """A level that no factor has would leave the load engine without TLS."""
    server = 'name = "own"\ninterface = "asgi"\nargv = ["{app}", "{port}"]\npackages = []\nslots = "loop"'
    (tmp_path / "tls.toml").write_text(f"{GOOD}\n[[server]]\n{server}\ntls = {tls}\n")
    with pytest.raises(DefinitionError) as caught:
        load_suite(str(tmp_path / "tls.toml"))
    assert problem in str(caught.value)


@pytest.mark.parametrize("text", ["[[pair]\n", 'about = "a"\nabout = "b"\n', "blocks = 2000-01-01\n", "[[pair]]\n\xff"])
def test_a_file_that_is_no_definition_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """Syntax errors, duplicate keys, dates and bytes that are no text."""
    path = tmp_path / "broken.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DefinitionError, match=r"broken\.toml"):
        load_suite(str(path))


def test_an_unknown_suite_says_which_there_are() -> None:
    """So does a file that does not exist, by its name."""
    with pytest.raises(UsageError, match=r"unknown suite 'quik': one of .*quick"):
        load_suite("quik")
    with pytest.raises(UsageError, match=r"nowhere\.toml: no such file"):
        load_suite("nowhere.toml")


def test_all_shipped_targets_servers_and_scenarios_are_defined() -> None:
    """All targets, servers and scenarios of the design are there."""
    known = load_definitions()
    plain = {name for name, target in known.targets.items() if not target.bridge}
    assert plain == {"flask", "fastapi", "fastapi-threadpool", "fastapi-blocking"}
    assert set(known.targets) - plain == {"flask-bridged", "flask-bridged-starlette"}
    assert len(known.servers) == 14
    assert len(known.scenarios) == 12
