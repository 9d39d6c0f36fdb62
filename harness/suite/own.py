"""A suite that no file states: an app of the user's own, or two, and one request, from a command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.errors import DefinitionError, UsageError
from harness.spec.loads import Closed
from harness.suite.check import check_scenario, check_suite, check_target
from harness.suite.choice import arm_of, known
from harness.suite.model import Definitions, PairDefinition, Side, Suite
from harness.suite.plan import Arm
from harness.suite.secrets import of_definitions
from harness.suite.subjects import Ask, Expect, Interface, Scenario, Server, Target

DEFAULT_SERVERS: Mapping[Interface, str] = {"wsgi": "gunicorn-gthread", "asgi": "uvicorn"}
PREFERRED: Mapping[Interface, tuple[str, ...]] = {
    "wsgi": ("gunicorn-gthread", "granian-wsgi", "waitress", "uwsgi", "gunicorn-sync", "gunicorn-gevent"),
    "asgi": ("uvicorn", "granian-asgi", "hypercorn", "gunicorn-uvicorn", "gunicorn-asgi", "uvicorn-h11"),
}
"""Servers in the order in which two are chosen to be compared."""
NAME = "own"


def request(path: str, expect: Expect | None = None) -> Scenario:
    """A GET of `path`; raises `UsageError` where HTTP does not allow it."""
    scenario = Scenario(
        name=f"GET {path}",
        about=f"A GET of {path}, whose present answer is what is expected.",
        request=Ask(path=path),
        expect=expect or Expect(),
    )
    nothing = Definitions({}, {}, {}, {})
    if problems := list(check_scenario(scenario, nothing)):
        raise UsageError("; ".join(problem.replace("request.path", "--path") for problem in problems))
    return scenario


def server_of(shipped: Definitions, target: Target, option: str, stated: str | None) -> Server:
    """The server that is stated by `option`, or the usual one; raises `UsageError` where it cannot serve the target."""
    server = shipped.servers[known(option, stated or DEFAULT_SERVERS[target.interface], shipped.servers)]
    if server.interface != target.interface:
        fitting = [each.name for each in shipped.servers.values() if each.interface == target.interface]
        raise UsageError(
            f"{option} {server.name} serves {server.interface}, {target.app} is {target.interface}: "
            f"one of {', '.join(fitting)}"
        )
    return server


def require_no_secret(scenario: Scenario) -> None:
    """Raise `UsageError` where a request holds a secret and no file has it, for no record would keep it."""
    if of_definitions(Definitions({}, {}, {scenario.name: scenario}, {})):
        raise UsageError(
            "--path holds a secret, which no record keeps, so that no resume could have it again: "
            "write a suite file, which `gatebench init` begins"
        )


def with_own(shipped: Definitions, targets: Iterable[Target], scenario: Scenario) -> Definitions:
    """The shipped definitions with these. Raises `DefinitionError` where a target cannot be."""
    own = {target.name: target for target in targets}
    problems = [problem for target in own.values() for problem in check_target(target, shipped)]
    if problems:
        raise DefinitionError(problems)
    return replace(shipped, targets=shipped.targets | own, scenarios=shipped.scenarios | {scenario.name: scenario})


def pair_suite(known_all: Definitions, scenario: Scenario, a: Side, b: Side) -> Suite:
    """The suite of one pair; raises `DefinitionError` where a side cannot be."""
    about = f"{a.target} on {a.server} and {b.target} on {b.server}: {scenario.name}."
    suite = Suite(name=NAME, about=about, pairs=(PairDefinition(scenario=scenario.name, a=a, b=b),))
    if problems := list(check_suite(suite, known_all)):
        raise DefinitionError([problem.removeprefix("pair[0].") for problem in problems])
    return suite


def closed_arms(known_all: Definitions, sides: Sequence[Side], scenario: Scenario) -> list[Arm]:
    """An arm of each side, called t0, t1 ..., under the closed load of the scenario."""
    loads = (Closed(connections=scenario.connections),)
    chosen = [(known_all.targets[side.target], known_all.servers[side.server]) for side in sides]
    return [
        arm_of(known_all, f"t{number}", target, server, scenario, levels={}, loads=loads)
        for number, (target, server) in enumerate(chosen)
    ]
