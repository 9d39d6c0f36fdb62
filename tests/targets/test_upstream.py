"""The slow API: how long it takes, how often it fails, and what it counts."""

from __future__ import annotations

import random
import statistics
import time

import httpx
import pytest
from pydantic import ValidationError

from targets.upstream import DOCUMENT, UpstreamSettings, burn, delay_law
from tests.targets.targets_support import upstream


def test_answers_its_document():
    """Every arm gets the same document, whatever its query."""
    with upstream() as url, httpx.Client(base_url=url, trust_env=False) as client:
        answer = client.get("/arm/a/data?key=7")
    assert (answer.status_code, answer.json()) == (200, DOCUMENT)
    assert answer.headers["content-type"] == "application/json"


def test_counts_hits_for_each_arm():
    """Hits are counted by the arm that asks, failures among them, and nothing else is."""
    with upstream() as url, httpx.Client(base_url=url, trust_env=False) as client:
        for path in ("/arm/a/data", "/arm/b-1/data", "/arm/a/data", "/health", "/nowhere"):
            client.get(path)
        assert client.get("/hits").json() == {"a": 2, "b-1": 1}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/", 404),
        ("GET", "/arm/data", 404),
        ("GET", "/arm//data", 404),
        ("GET", "/arm/a", 404),
        ("POST", "/arm/a/data", 404),
        ("POST", "/hits", 404),
    ],
)
def test_knows_no_other_route(method: str, path: str, status: int):
    """What it does not know is 404, in JSON."""
    with upstream() as url, httpx.Client(base_url=url, trust_env=False) as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    assert isinstance(answer.json(), dict)


def test_waits_before_it_answers():
    """An answer takes at least its delay."""
    with upstream(delay_ms=50) as url, httpx.Client(base_url=url, trust_env=False) as client:
        client.get("/health")
        started = time.monotonic()
        client.get("/arm/a/data")
        assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_fails_as_often_as_told(rate: float):
    """The share of 503 is the failure rate, within what 500 draws allow."""
    with upstream(delay_ms=0, failure_rate=rate) as url, httpx.Client(base_url=url, trust_env=False) as client:
        statuses = [client.get("/arm/a/data").status_code for _ in range(500)]
        assert client.get("/hits").json() == {"a": 500}
    assert set(statuses) <= {200, 503}
    assert statuses.count(503) / 500 == pytest.approx(rate, abs=4 * (rate * (1 - rate) / 500) ** 0.5)


def test_the_fixed_law():
    """The fixed law always waits the same."""
    delay = delay_law(UpstreamSettings(delay_ms=20), random.Random(1))
    assert {delay() for _ in range(10)} == {0.02}


@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.0])
def test_the_lognormal_law(sigma: float):
    """The mean of the lognormal law is the delay, and the spread of its logarithm is sigma."""
    delay = delay_law(UpstreamSettings(delay_ms=20, law="lognormal", sigma=sigma), random.Random(1))
    delays = [delay() for _ in range(50_000)]
    error = 5 * statistics.stdev(delays) / len(delays) ** 0.5
    assert statistics.mean(delays) == pytest.approx(0.02, abs=error)
    assert statistics.median(delays) == pytest.approx(0.02 * 2.718281828 ** (-(sigma**2) / 2), rel=0.02)


def test_a_seed_is_a_sequence():
    """The same seed waits the same, another one does not."""
    settings = UpstreamSettings(law="lognormal")
    first, second, other = (delay_law(settings, random.Random(seed)) for seed in (7, 7, 8))
    drawn = [first() for _ in range(5)]
    assert [second() for _ in range(5)] == drawn
    assert [other() for _ in range(5)] != drawn


def test_burns_cpu():
    """Being busy is CPU time, not waiting."""
    before = time.thread_time()
    burn(0.01)
    assert time.thread_time() - before >= 0.01


def test_refuses_an_impossible_rate():
    """A failure rate is a share."""
    with pytest.raises(ValidationError):
        UpstreamSettings(failure_rate=1.5)
