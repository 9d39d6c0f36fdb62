"""Options that several verbs share, and what their values mean."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from harness import record
from harness.errors import UsageError
from harness.machine.placement import Placement, place, usable_cpus
from harness.strict import adapter
from harness.suite import Pod, suite_names
from harness.suite.pod import size

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}

RESULTS = Path("results")


def suites_from(incomplete: str) -> list[str]:
    """The shipped suites that begin so; where there are none, a shell completes the paths of files."""
    return [name for name in suite_names() if name.startswith(incomplete)]


def runs_from(incomplete: str) -> list[str]:
    """The runs of this folder that begin so, newest first, and `latest`."""
    names = ["latest", *(folder.name for folder in reversed(record.folders(RESULTS)))]
    return [name for name in names if name.startswith(incomplete)]


SuiteName = Annotated[
    str,
    typer.Argument(
        metavar="SUITE", help="A shipped suite's name, or the path of a TOML file.", autocompletion=suites_from
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's directory, its name, part of it, or `latest`.", autocompletion=runs_from
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Where runs lie.")]
Filter = Annotated[
    str,
    typer.Option(
        "--filter", metavar="EXPR", help="Only pairs that match, such as `scenario=json,server=uvicorn*,workers=4`."
    ),
]
Blocks = Annotated[int | None, typer.Option(min=1, help="Blocks a group; three at least for a verdict.")]
AcceptChanges = Annotated[
    bool, typer.Option("--accept-changes", help="With --resume: go on under another machine, versions or code.")
]
AcrossMachines = Annotated[
    bool, typer.Option("--across-machines", help="With two runs: give verdicts though their machines differ.")
]
Seed = Annotated[int | None, typer.Option(help="Fixes orders and arrivals; printed and recorded if not given.")]
ServerCpus = Annotated[int | None, typer.Option(min=1, help="CPUs for the servers; default: all that can be spared.")]
Generators = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Processes that share the load; default: the suite's, or what its load may want."),
]
GeneratorCpus = Annotated[
    int | None, typer.Option(min=1, help="CPUs for the generators; default: one for each, up to half of the cores.")
]
Baseline = Annotated[
    str | None,
    typer.Option(metavar="TARGET", help="Measure each pair's b against this target, on b's server with b's factors."),
]

Cpus = Annotated[
    float | None, typer.Option("--cpus", metavar="0.5", help="Run each server in a pod with that quota of CPUs.")
]


def seconds(text: str, *, or_none: bool = False) -> float:
    """`90s`, `10m`, `500ms`, `1h` or plain seconds; with `or_none` also 0, for no time at all. Raises `UsageError`."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|)", text.strip())
    if match is None or (float(match[1]) == 0 and not or_none):
        raise UsageError(f"{text!r} is no duration: write 90s, 10m, 500ms or 1h")
    return float(match[1]) * UNITS[match[2]]


def fraction(text: str) -> float:
    """`5%` or `0.05` as a number between 0 and 1, both excluded. Raises `UsageError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", text.strip())
    value = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < value < 1:
        message = f"{text!r} is no share between 0 and 1: write 5% or 0.05"
        raise UsageError(message)
    return value


def memory_bytes(text: str) -> int:
    """`512MiB`, `1GiB`, or bytes. Raises `UsageError`."""
    try:
        return size(text)
    except ValueError as error:
        raise UsageError(f"--memory: {error}") from None


def pod(cpus: float | None, memory: str | None) -> Pod | None:
    """The pod of `--cpus` and `--memory`; None without either. Raises `UsageError`."""
    limit = memory_bytes(memory) if memory is not None else None
    if cpus is None and limit is None:
        return None
    try:
        return adapter(Pod).validate_python({"cpus": cpus, "memory": limit})
    except ValidationError as error:
        wrong = {problem["loc"][0] for problem in error.errors()}
        if "cpus" in wrong:
            raise UsageError(f"--cpus {cpus}: a quota is 0.01 to 1024 CPUs, such as 0.5") from None
        raise UsageError(f"--memory {memory}: a limit is 1 MiB to 1 PiB, such as 512MiB") from None


def fresh_seed(seed: int | None) -> int:
    """`seed`, or a random seed where none is given."""
    return secrets.randbelow(2**31) if seed is None else seed


def placed(server_cpus: int | None, generator_cpus: int | None = None, generators: int = 1) -> Placement:
    """The CPUs that this process may use, shared out among servers, generators and services."""
    return place(usable_cpus(), server_cpus, generator_cpus, generators=generators)
