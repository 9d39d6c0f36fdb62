"""`gatebench load`: the load engine alone, against a server that already runs."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

import typer
from rich.table import Table

from harness import masking, spec, units
from harness.cli.beside import announced
from harness.cli.options import AsJson, fresh_seed, placed, seconds
from harness.cli.output import answers, print_json
from harness.errors import NothingValidError, UsageError
from harness.machine.guard import scratch
from harness.spec import arrivals as laws
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed, Load, Open, WhenFull
from harness.suite import address
from harness.trial.generator import run as run_load

Summary = dict[str, Any]
LEAST_RPS, MOST_RPS = 0.1, 1e6
"""Arrivals a second. Fewer show nothing within minutes; more are beyond what a generator on one core can send."""


def load(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="http://HOST:PORT/PATH, https://HOST:PORT/PATH, or http+unix:/PATH/OF/SOCKET:/PATH of something that "
            "already runs.",
        ),
    ],
    *,
    connections: Annotated[
        int | None, typer.Option(min=1, help="Closed load, or the pool of an open one (64).")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Open load: arrivals a second.")] = None,
    duration: Annotated[str, typer.Option(metavar="S", help="Counted time, such as 10s.")] = "10s",
    warmup: Annotated[str, typer.Option(metavar="S", help="Uncounted time before it; 0: none.")] = "1s",
    method: Annotated[str, typer.Option(metavar="M")] = "GET",
    body: Annotated[str, typer.Option(metavar="B")] = "",
    header: Annotated[list[str] | None, typer.Option(metavar="H", help="`Name: value`; may be repeated.")] = None,
    status: Annotated[int, typer.Option(help="The status that a good answer has.")] = 200,
    arrivals: Annotated[str, typer.Option(metavar="LAW", help=laws.written())] = "poisson",
    when_full: Annotated[str, typer.Option(help="Open, no free connection: queue or drop.")] = "queue",
    seed: Annotated[int | None, typer.Option(help="Fixes the arrivals.")] = None,
    as_json: AsJson = False,
    histogram: Annotated[bool, typer.Option(help="Add the histogram (HdrHistogram V2, base64) to the JSON.")] = False,
) -> None:
    """Drive a URL, and print its throughput and response times: closed with --connections, open with --rate.

    Examples: `gatebench load http://127.0.0.1:8000/json --connections 64`,
    `gatebench load http://127.0.0.1:8000/json --rate 500 --duration 30s --json`,
    `gatebench load http+unix:/run/shop.sock:/json --connections 8`.
    """
    if rate is None and connections is None:
        raise UsageError("say --connections N (closed load) or --rate R (open load)")
    length_s, warm_up_s = seconds(duration), seconds(warmup, or_none=True)
    offered = load_of(connections or 64, rate, arrivals, when_full)
    asked = address_of(url)
    arm = spec.DrivenArm(
        name="load",
        host=asked.host,
        port=asked.port,
        request=spec.Request(
            method=method.upper(),
            path=asked.path,
            headers=tuple(_header(text) for text in header or ()),
            body=body,
            status=status,
        ),
        load=offered,
        arrivals_seed=fresh_seed(seed),
    )
    # An open load warms the server up at its own rate: a closed warm-up would flood it first.
    closed_s, lead_s = (warm_up_s, 0.0) if rate is None else (0.0, warm_up_s)
    phase = spec.Spec(arms=(arm,), rounds=((0,),), slice_s=length_s, warmup_s=closed_s, lead_s=lead_s)
    with announced("load"), tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as folder:
        result = run_load(
            phase, cpus=placed(None).generator, log=Path(folder, "generator.log"), on_event=lambda *_: None
        )
    summary = summarise(result.slices[0], result.totals[0], with_histogram=histogram)
    if as_json:
        print_json(summary)
    else:
        answers().print(_table(summary))
    if summary["throughput_rps"] == 0:
        raise NothingValidError(f"no good answer from {url}: {summary['error_kinds']}")


def summarise(measured: spec.Slice, totals: spec.Totals, *, with_histogram: bool = False) -> Summary:
    """What `gatebench load --json` prints, of the one slice that was measured and the totals of the run."""
    from harness.trial.assemble import latency

    def percentiles(text: str | None) -> Summary | None:
        times = latency(Histogram.decode(text)) if text is not None else None
        return None if times is None else {name: getattr(times, name) for name in times.__slots__}

    summary: Summary = {
        "requests": measured.requests,
        "errors": measured.errors,
        "error_kinds": measured.error_kinds,
        "duration_s": measured.length_s,
        "throughput_rps": measured.throughput_rps,
        "offered_rps": measured.offered_rps,
        "dropped": measured.dropped,
        "reconnects": totals.reconnects,
        "latency_us": percentiles(measured.latency),
        "service_us": percentiles(measured.service),
        "lateness_us": percentiles(measured.lateness),
        "generator": {
            "cpu_percent": measured.generator.cpu_percent,
            "valid": measured.generator.valid,
            "reasons": list(measured.generator.reasons),
        },
    }
    return summary | ({"histogram": measured.latency} if with_histogram else {})


def _table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("throughput", units.rps(summary["throughput_rps"]) + " good answers a second")
    table.add_row(
        "requests", f"{summary['requests']}, of which {summary['errors']} failed {summary['error_kinds'] or ''}"
    )
    if summary["offered_rps"] is not None:
        table.add_row("offered", f"{units.rps(summary['offered_rps'])}, {summary['dropped']} arrivals dropped")
    for name, what in (("latency_us", "response time"), ("service_us", "service time"), ("lateness_us", "lateness")):
        if summary[name] is not None:
            values = [f"{key} {units.duration_us(value)}" for key, value in summary[name].items() if value is not None]
            table.add_row(what, "  ".join(values))
    check = summary["generator"]
    judgement = "valid" if check["valid"] else "INVALID: " + "; ".join(check["reasons"])
    table.add_row("generator", f"{check['cpu_percent']:.0f} % of a core, {judgement}")
    return table


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL that a request needs."""

    host: str
    port: int
    path: str


def address_of(url: str) -> Address:
    """The parts of a URL; raises `UsageError`."""
    try:
        parts = urlsplit(url)
        where, path = f"//{parts.netloc}", parts.path
        if parts.scheme == "http+unix" and not parts.netloc:
            where, _, path = parts.path.partition(":/")
            path = f"/{path}"
        there = address.address_of(f"{parts.scheme}:{where}")
    except ValueError as error:
        raise UsageError(f"{url}: {error}") from error
    path = (path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or any(letter.isspace() or not letter.isprintable() for letter in path):
        raise UsageError(f"{url}: the path must be ASCII without spaces: percent-encode the rest")
    return Address(there.host, there.port, path)


def load_of(connections: int, rate_rps: float | None, arrivals: str, when_full: str) -> Load:
    """The load that the options ask for; raises `UsageError`."""
    if when_full not in get_args(WhenFull):
        raise UsageError(f"--when-full {when_full}: one of {', '.join(get_args(WhenFull))}")
    try:
        laws.law(arrivals)
    except ValueError as error:
        raise UsageError(f"--arrivals: {error}") from error
    if rate_rps is None:
        return Closed(connections=connections)
    if not LEAST_RPS <= rate_rps <= MOST_RPS:
        raise UsageError(f"--rate {rate_rps:g}: between {LEAST_RPS:g} and {MOST_RPS:,.0f} arrivals a second")
    full: WhenFull = "drop" if when_full == "drop" else "queue"
    return Open(connections=connections, rate_rps=rate_rps, arrivals=arrivals, when_full=full)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise UsageError(f"--header {name!r}: must be `Name: value`")
    masking.learn(value, name)
    if not all(letter.isprintable() or letter == "\t" for letter in value) or not value.isascii():
        raise UsageError(f"--header {name}: the value must be printable ASCII")
    return name, value
