"""`gatebench load`: the load engine alone, against anything that already runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.table import Table

from harness import spec, units
from harness.cli.options import AsJson, fresh_seed, placed, seconds
from harness.cli.output import answers, print_json
from harness.errors import NothingValidError, UsageError
from harness.spec.histogram import Histogram
from harness.trial.generator import run as run_load

Report = dict[str, Any]


def load(
    url: Annotated[str, typer.Argument(metavar="URL", help="http://HOST:PORT/PATH of something that already runs.")],
    *,
    connections: Annotated[
        int | None, typer.Option(min=1, help="Closed load, or the pool of an open one (64).")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Open load: arrivals a second.")] = None,
    duration: Annotated[str, typer.Option(metavar="S", help="Counted time, such as 10s.")] = "10s",
    warmup: Annotated[str, typer.Option(metavar="S", help="Uncounted time before it.")] = "1s",
    method: Annotated[str, typer.Option(metavar="M")] = "GET",
    body: Annotated[str, typer.Option(metavar="B")] = "",
    header: Annotated[list[str] | None, typer.Option(metavar="H", help="`Name: value`; may be repeated.")] = None,
    status: Annotated[int, typer.Option(help="The status that a good answer has.")] = 200,
    arrivals: Annotated[str, typer.Option(help="poisson or constant")] = "poisson",
    when_full: Annotated[str, typer.Option(help="Open, no free connection: queue or drop.")] = "queue",
    seed: Annotated[int | None, typer.Option(help="Fixes the arrivals.")] = None,
    as_json: AsJson = False,
    histogram: Annotated[bool, typer.Option(help="Add the histogram (HdrHistogram V2, base64) to the JSON.")] = False,
) -> None:
    """Drive a URL and print what it holds and how long it takes: closed with --connections, open with --rate.

    Examples: `gatebench load http://127.0.0.1:8000/json --connections 64`,
    `gatebench load http://127.0.0.1:8000/json --rate 500 --duration 30s --json`.
    """
    if rate is None and connections is None:
        raise UsageError("say --connections N (closed load) or --rate R (open load)")
    _one_of("--arrivals", arrivals, ("poisson", "constant"))
    _one_of("--when-full", when_full, ("queue", "drop"))
    host, port, path = _address(url)
    request = spec.Request(
        method=method.upper(),
        path=path,
        headers=tuple(_header(text) for text in header or ()),
        body=body,
        status=status,
    )
    arm = spec.Arm(
        name="load",
        host=host,
        port=port,
        request=request,
        connections=connections or 64,
        rate_rps=rate,
        response_s=None if rate is None else 0.0,
        arrivals_seed=fresh_seed(seed),
    )
    length = seconds(duration)
    told = spec.Spec(
        kind="closed" if rate is None else "open",
        arms=(arm,),
        rounds=((0,),),
        slice_s=length,
        max_slice_s=length,
        warmup_s=seconds(warmup),
        arrivals="poisson" if arrivals == "poisson" else "constant",
        when_full="queue" if when_full == "queue" else "drop",
    )
    with tempfile.TemporaryDirectory(prefix="gatebench-") as folder:
        result = run_load(
            told, cpus=placed(None).generator, log=Path(folder, "generator.log"), on_event=lambda *_: None
        )
    said = summarise(result.slices[0], result.totals[0], with_histogram=histogram)
    if as_json:
        print_json(said)
    else:
        answers().print(_table(said))
    if said["throughput_rps"] == 0:
        raise NothingValidError(f"no good answer from {url}: {said['error_kinds']}")


def summarise(measured: spec.Slice, totals: spec.Totals, *, with_histogram: bool = False) -> Report:
    """The JSON of `gatebench load`."""
    from harness.trial.assemble import latency

    def of(text: str | None) -> Report | None:
        found = latency(Histogram.decode(text)) if text is not None else None
        return None if found is None else {name: getattr(found, name) for name in found.__slots__}

    said: Report = {
        "requests": measured.requests,
        "errors": measured.errors,
        "error_kinds": measured.error_kinds,
        "duration_s": measured.length_s,
        "throughput_rps": measured.throughput_rps,
        "offered_rps": measured.offered_rps,
        "dropped": measured.dropped,
        "reconnects": totals.reconnects,
        "latency_us": of(measured.latency),
        "service_us": of(measured.service),
        "lateness_us": of(measured.lateness),
        "generator": {
            "cpu_percent": measured.generator.cpu_percent,
            "valid": measured.generator.valid,
            "reasons": list(measured.generator.reasons),
        },
    }
    return said | ({"histogram": measured.latency} if with_histogram else {})


def _table(said: Report) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("throughput", units.rps(said["throughput_rps"]) + " good answers a second")
    table.add_row("requests", f"{said['requests']}, of which {said['errors']} failed {said['error_kinds'] or ''}")
    if said["offered_rps"] is not None:
        table.add_row("offered", f"{units.rps(said['offered_rps'])}, {said['dropped']} arrivals dropped")
    for name, what in (("latency_us", "response time"), ("service_us", "service time"), ("lateness_us", "lateness")):
        if said[name] is not None:
            values = [f"{key} {units.duration_us(value)}" for key, value in said[name].items() if value is not None]
            table.add_row(what, "  ".join(values))
    check = said["generator"]
    verdict = "valid" if check["valid"] else "INVALID: " + "; ".join(check["reasons"])
    table.add_row("generator", f"{check['cpu_percent']:.0f} % of a core, {verdict}")
    return table


def _address(url: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    try:
        port = parts.port or 80
    except ValueError as error:
        raise UsageError(f"{url}: {error}") from error
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"{url}: must be http://HOST[:PORT]/PATH (the engine speaks HTTP/1.1 without TLS)")
    return parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header {text!r}: must be `Name: value`")
    return name.strip(), value.strip()


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{option} {value}: one of {', '.join(allowed)}")
