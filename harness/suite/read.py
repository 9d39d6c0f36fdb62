"""Reads definitions: those that gatebench ships, and a suite file of the user's own.

A suite is a name under benchmarks/suites/ or the path of a TOML file. That file may define factors, targets, servers
and scenarios in the form of the shipped ones. Paths in a definition are relative to the file that states them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.errors import DefinitionError, UsageError
from harness.strict import adapter
from harness.suite import disturbances, factors, secrets
from harness.suite.check import check_factor, check_scenario, check_server, check_suite, check_target
from harness.suite.document import existing, parse
from harness.suite.factors import Factor
from harness.suite.model import RESERVED, Definitions, Suite
from harness.suite.subjects import Bridge, Scenario, Server, Target

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"

T = TypeVar("T", Server, Bridge, Target, Scenario, Factor, Suite)
WRITTEN = {"pairs": "pair", "mix": "request"}
"""Field -> how its array of tables is called in a file."""
KINDS: dict[str, type[Any]] = {
    "factor": Factor,
    "server": Server,
    "bridge": Bridge,
    "target": Target,
    "scenario": Scenario,
}


def suite_names(folder: Path = BENCHMARKS) -> tuple[str, ...]:
    """Names of the shipped suites."""
    return tuple(sorted(path.stem for path in (folder / "suites").glob("*.toml")))


def load_definitions(folder: Path = BENCHMARKS) -> Definitions:
    """All shipped factors, targets, servers and scenarios; raises `DefinitionError` with every problem."""
    reader = _Reader()
    reader.read_tables(folder / "factors.toml", {"factor"})
    reader.read_tables(folder / "servers.toml", {"server"})
    reader.read_tables(folder / "bridges.toml", {"bridge"})
    reader.read_tables(folder / "targets.toml", {"target"})
    for path in sorted((folder / "scenarios").glob("*.toml")):
        if (document := reader.parse(path)) is not None:
            reader.add(path, "", Scenario, document)
    return reader.finish()


def load_suite(name: str, folder: Path = BENCHMARKS) -> tuple[Definitions, Suite]:
    """The suite called `name` (or at that path), and all definitions that it may use; raises `DefinitionError`."""
    path = _suite_path(name, folder)
    shipped = load_definitions(folder)
    reader = _Reader(
        dict(shipped.servers),
        dict(shipped.targets),
        dict(shipped.scenarios),
        dict(shipped.factors),
        dict(shipped.bridges),
    )
    document = parse(path)
    reader.read_kinds(path, document, set(KINDS))
    rest = {("pairs" if key == "pair" else key): value for key, value in document.items() if key not in KINDS}
    suite = reader.build(path, "", Suite, {"name": path.stem} | rest)
    if suite is not None:
        reader.check_later(path, "", check_suite, suite)
    definitions = reader.finish()
    if suite is None:  # pragma: no cover - finish() has raised
        raise DefinitionError([f"{path}: not a suite"])
    return replace(definitions, file=str(path)), suite


def _suite_path(name: str, folder: Path) -> Path:
    if name in suite_names(folder):
        return folder / "suites" / f"{name}.toml"
    path = existing(name)
    if path is not None and path.suffix == ".toml":
        return path
    if name.endswith(".toml"):
        message = f"{name}: no such file"
    else:
        message = f"unknown suite {name!r}: one of {', '.join(suite_names(folder))}, or the path of a .toml file"
    raise UsageError(message)


@dataclass
class _Reader:
    """Collects definitions, and every problem of them."""

    servers: dict[str, Server] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    scenarios: dict[str, Scenario] = field(default_factory=dict)
    factors: dict[str, Factor] = field(default_factory=dict)
    bridges: dict[str, Bridge] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _checks: list[Callable[[Definitions], list[str]]] = field(default_factory=list)

    def parse(self, path: Path) -> dict[str, Any] | None:
        """The document in `path`; None where it is none, which is a problem by then."""
        try:
            return parse(path)
        except DefinitionError as error:
            self.problems += error.problems
            return None

    def read_tables(self, path: Path, kinds: set[str]) -> None:
        """Read a file in which only tables of `kinds` may stand."""
        document = self.parse(path)
        if document is None:
            return
        self.problems += [f"{path}: {key}: unknown key" for key in document if key not in kinds]
        self.read_kinds(path, document, kinds)

    def read_kinds(self, path: Path, document: dict[str, Any], kinds: set[str]) -> None:
        for kind in sorted(kinds & set(document)):
            tables = document[kind]
            if not isinstance(tables, list):
                self.problems.append(f"{path}: {kind}: must be an array of tables, [[{kind}]]")
                continue
            for index, table in enumerate(tables):
                self.add(path, f"{kind}[{index}].", KINDS[kind], table)

    def add(self, path: Path, where: str, kind: type[T], table: dict[str, Any]) -> None:
        built = self.build(path, where, kind, table)
        if built is None:
            return
        built = _resolved(built, path.parent)
        self._check(path, where, built)
        tables: dict[type[Any], dict[str, Any]] = {
            Server: self.servers,
            Bridge: self.bridges,
            Target: self.targets,
            Scenario: self.scenarios,
            Factor: self.factors,
        }
        known = tables[type(built)]
        if built.name in known:
            self.problems.append(f"{path}: {where}name: {built.name!r} is defined twice")
        known[built.name] = built
        if isinstance(built, Target | Server | Scenario):
            secrets.learn(built)

    def _check(self, path: Path, where: str, built: T) -> None:
        if isinstance(built, Target):
            self.check_later(path, where, check_target, built)
        if isinstance(built, Server):
            self.check_later(path, where, lambda server, known: check_server(server, known.factors), built)
        if isinstance(built, Scenario):
            self.check_later(path, where, check_scenario, built)
        if isinstance(built, Factor):
            self.problems += [f"{path}: {where}{problem}" for problem in factors.problems(built, RESERVED)]
            self.check_later(path, where, check_factor, built)

    def check_later(self, path: Path, where: str, check: Callable[[T, Definitions], Iterator[str]], built: T) -> None:
        """Check `built` against all definitions, once these are read."""
        self._checks.append(lambda known: [f"{path}: {where}{problem}" for problem in check(built, known)])

    def build(self, path: Path, where: str, kind: type[T], table: dict[str, Any]) -> T | None:
        # By way of JSON: there, strict parsing takes an array for a tuple, but still no string for a number.
        try:
            return adapter(kind).validate_json(json.dumps(_mix_apart(table)), strict=True)
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_context=False):
                key = _key(problem["loc"])
                unknown = problem["type"] in {"unexpected_keyword_argument", "extra_forbidden"}
                self.problems.append(f"{path}: {where}{key}: {'unknown key' if unknown else problem['msg']}")
        except TypeError as error:  # JSON has no dates
            self.problems.append(f"{path}: {where}: {error}")
        except ValueError:  # nor does Python write an integer of so many digits
            self.problems.append(f"{path}: {where}: holds an integer of too many digits: write one of 64 bits")
        return None

    def definitions(self) -> Definitions:
        return Definitions(self.servers, self.targets, self.scenarios, self.factors, bridges=self.bridges)

    def finish(self) -> Definitions:
        known = self.definitions()
        self.problems += [problem for check in self._checks for problem in check(known)]
        if self.problems:
            raise DefinitionError(self.problems)
        return self.definitions()


def _mix_apart(table: Any) -> Any:
    """The table, where its `request` is an array with that under `mix`; whatever else it is, as it is."""
    if not isinstance(table, dict) or not isinstance(table.get("request"), list):
        return table
    return {("mix" if key == "request" else key): value for key, value in table.items()}


def _key(location: tuple[int | str, ...]) -> str:
    """The place `("pairs", 3, "b", "server")` as users write it: pair[3].b.server."""
    text = ""
    for depth, part in enumerate(location):
        if depth and location[depth - 1] == "disturbance" and part in disturbances.KINDS:
            continue  # pydantic names the kind by which it reads the table, which the file does not
        text += f"[{part}]" if isinstance(part, int) else f".{part if depth else WRITTEN.get(str(part), part)}"
    return text.lstrip(".") or "(the table)"


def _resolved(built: T, folder: Path) -> T:
    """The definition with absolute paths; an empty interpreter is the one that runs gatebench."""
    if isinstance(built, Scenario):
        return replace(built, data=str((folder / built.data).absolute())) if built.data else built
    if isinstance(built, Target):
        # Not resolved through symlinks: a virtual environment's python is one, and must stay in its environment.
        python = str((folder / built.python).absolute()) if built.python else sys.executable
        return replace(built, python=python, folder=str((folder / built.folder).resolve()))
    return built
