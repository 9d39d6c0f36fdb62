"""results/index.html: all runs, newest first, with what each shows, to be picked and compared; and over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from urllib.parse import quote

from harness import record, units
from harness.errors import RecordError
from harness.machine import environment
from harness.record import RunInfo, durable
from harness.record.conditions import of_servers
from harness.report.comparing import page_name
from harness.report.figures import rows
from harness.report.over_time import Past, drawing, over_time
from harness.report.slugs import slugs
from harness.report.templating import render
from harness.report.words import Contender, Outcome, count, shown

TOLD = ("fastapi", "flask", "uvicorn", "gunicorn")
"""Versions that the index tells; the report has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run as a row of the index."""

    name: str
    slug: str
    suite: str
    started: str = ""
    report: str = ""
    """Where its report is, relative to the index; empty: not built."""
    headline: str = ""
    extent: str = ""
    machine: str = ""
    cores: str = ""
    versions: tuple[str, ...] = ()
    problem: str = ""
    """Why its records cannot be read."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A folder of a run, as far as it can be read."""

    folder: Path
    info: RunInfo | None
    problem: str = ""
    table: Sequence[Mapping[str, str]] | None = None
    """Its summary.csv; None where there is none."""

    @property
    def started(self) -> str:
        """By which runs are ordered."""
        return self.info.started if self.info else self.folder.name

    @property
    def past(self) -> Past | None:
        """What a series over time takes of it; None where it has no summary."""
        if self.info is None or self.table is None:
            return None
        return Past(self.info, self.table, self.report)

    @property
    def report(self) -> str:
        """Where its report is, relative to the index."""
        there = (self.folder / "report.html").is_file()
        return quote(f"{self.folder.name}/report.html") if there else ""


def index(results: Path) -> Path:
    """Write the index of all runs under `results`; raises `StorageError` where that fails.

    Two harnesses may do so at once: each replaces the file as a whole, and the later one has seen the runs of both.
    """
    every = sorted(map(_read, record.folders(results)), key=lambda each: each.started, reverse=True)
    anchors = slugs(each.folder.name for each in every)
    names = [each.folder.name for each in every]
    pages = {
        f"{before} {after}": quote(page_name(before, after))
        for before, after in permutations(names, 2)
        if (results / page_name(before, after)).is_file()
    }
    page = render(
        "index.html.j2",
        runs=[_run_line(each, anchors[each.folder.name]) for each in every],
        series=over_time([past for each in every if (past := each.past)]),
        drawing=drawing(),
        pages=pages,
        version=environment.version(),
    )
    out = results / "index.html"
    with durable.explained(results, "gatebench report latest"):
        durable.replace(out, page.encode())
    return out


def _read(folder: Path) -> _Read:
    try:
        info = record.read_info(folder)
    except RecordError as error:
        return _Read(folder, None, str(error).replace(str(folder), folder.name))
    try:
        return _Read(folder, info, table=rows((folder / "summary.csv").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return _Read(folder, info)


def _run_line(read: _Read, slug: str) -> RunLine:
    folder, info = read.folder, read.info
    if info is None:
        return RunLine(name=folder.name, slug=slug, suite=folder.name, problem=read.problem)
    cores = len(info.placement.get("server", ()))
    return RunLine(
        name=folder.name,
        slug=slug,
        suite=info.plan.suite,
        started=f"{info.started[:16].replace('T', ' ')} UTC",
        report=read.report,
        headline=_headline(read.table),
        extent=_extent(info),
        machine=str(of_servers(info).get("cpu", "")),
        cores=f"servers on {units.plural(cores, 'core')}",
        versions=tuple(f"{name} {info.versions[name]}" for name in TOLD if name in info.versions),
    )


def _headline(table: Sequence[Mapping[str, str]] | None) -> str:
    """The tally of its verdicts, from the summary that its report left."""
    if table is None:
        return "no report yet: gatebench report draws it"
    for row in table:
        if row["verdict"] == "recommended" and row["metric"] in {"throughput_rps", "answered_rps"}:
            workers, threads = (int(row[name] or 0) for name in ("workers", "threads"))
            return f"recommends {units.plural(workers, 'worker')} of {units.plural(threads, 'thread')}"
    return count(_outcomes(table))


def _outcomes(table: Sequence[Mapping[str, str]]) -> list[Outcome]:
    """The throughput verdicts of a summary."""
    known = {
        f"{row['target']} on {row['server']}": Contender(
            target=shown(row["target"]), server=shown(row["server"]), interface=row["interface"]
        )
        for row in table
        if row["kind"] == "arm"
    }
    return [
        Outcome(a=_side(row["a"], known), b=_side(row["b"], known), verdict=row["verdict"], null=row["a"] == row["b"])
        for row in table
        if row["kind"] == "pair" and row["metric"] == "throughput_rps"
    ]


def _side(label: str, known: Mapping[str, Contender]) -> Contender:
    """A side by its label in the summary: TARGET on SERVER, and in brackets what is the side's own."""
    setup = max((name for name in known if label == name or label.startswith(f"{name} (")), key=len, default=label)
    own = label.removeprefix(setup).strip(" ()")
    contender = known.get(setup) or Contender(target=shown(setup), server="", interface="")
    return replace(contender, own=tuple(map(shown, own.split(", "))) if own else ())


def _extent(info: RunInfo) -> str:
    pairs = sum(len(group.pairs) for group in info.plan.groups)
    text = f"{units.plural(pairs, 'pair')}, {units.plural(info.plan.blocks, 'block')}"
    return text if info.finished else f"{text}, interrupted"
