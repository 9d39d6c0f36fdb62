"""All four targets in process: the same status, JSON and agreed headers for good and bad input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from targets.settings import Settings
from tests.targets import targets_cases as table
from tests.targets.targets_support import TWINS, free_port, redis_server, upstream

twins = pytest.mark.parametrize("twin", TWINS)


@pytest.fixture(scope="module", name="upstream_url")
def _upstream_url() -> Iterator[str]:
    with upstream() as url:
        yield f"{url}/arm/parity/data"


@pytest.fixture(name="redis_url")
def _redis_url(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as url:
        yield url


@twins
def test_the_table(twin: str):
    """Every twin gives the contract's answer to good and to bad input."""
    with TWINS[twin](Settings()) as client:
        assert table.problems(client, table.PLAIN) == []


@pytest.mark.parametrize(
    ("twin", "make"),
    [(twin, make) for twin in TWINS for make in ("pure", "base") if (twin, make) != ("flask", "base")],
)
def test_the_stack(twin: str, make: Literal["pure", "base"]):
    """Every twin's middleware stack lets in, refuses and times alike, and changes nothing else."""
    with TWINS[twin](Settings(middleware=make)) as client:
        assert table.problems(client, table.STACK + table.PLAIN) == []


@twins
def test_without_a_cache(twin: str, upstream_url: str):
    """Without a cache every answer comes from the upstream, and says so."""
    cases = (table.EXTERNAL, table.cached("bypass"), table.cached("bypass"))
    with TWINS[twin](Settings(upstream_url=upstream_url)) as client:
        assert table.problems(client, cases) == []
        stats = client.get("http://localhost/stats").json()
    assert stats["cache"] == {"hits": 0, "misses": 0, "bypasses": 2, "failures": 0}


@twins
def test_with_a_memory_cache(twin: str, upstream_url: str):
    """The first answer fills the worker's memory, the next ones come from there."""
    cases = (table.cached("miss"), table.cached("hit"), table.cached("hit"), table.EXTERNAL)
    with TWINS[twin](Settings(upstream_url=upstream_url, cache="memory")) as client:
        assert table.problems(client, cases) == []
        stats = client.get("http://localhost/stats").json()
    assert stats["cache"] == {"hits": 2, "misses": 1, "bypasses": 0, "failures": 0}


@twins
def test_with_redis(twin: str, upstream_url: str, redis_url: str):
    """What one process has stored in Redis another finds there, unless its arm has a prefix of its own."""
    settings = Settings(upstream_url=upstream_url, cache="redis", redis_url=redis_url)
    with TWINS[twin](settings) as client:
        assert table.problems(client, (table.cached("miss"), table.cached("hit"))) == []
    with TWINS[twin](settings) as another:
        assert table.problems(another, (table.cached("hit"),)) == []
    with TWINS[twin](settings.model_copy(update={"cache_prefix": "other:"})) as other_arm:
        assert table.problems(other_arm, (table.cached("miss"),)) == []


@twins
def test_twins_share_one_key_space(twin: str, upstream_url: str, redis_url: str):
    """What Flask has stored every twin can read: same key, same serializer."""
    settings = Settings(upstream_url=upstream_url, cache="redis", redis_url=redis_url)
    with TWINS["flask"](settings) as client:
        assert table.problems(client, (table.cached("miss"),)) == []
    with TWINS[twin](settings) as client:
        assert table.problems(client, (table.cached("hit"),)) == []


@twins
def test_redis_down(twin: str, upstream_url: str):
    """Without its Redis a twin still answers, uncached, and counts it."""
    redis_url = f"redis://127.0.0.1:{free_port()}/0"
    with TWINS[twin](Settings(upstream_url=upstream_url, cache="redis", redis_url=redis_url)) as client:
        assert table.problems(client, (table.cached("bypass"), table.cached("bypass"))) == []
        stats = client.get("http://localhost/stats").json()
    assert stats["cache"] == {"hits": 0, "misses": 0, "bypasses": 2, "failures": 2}


@twins
@pytest.mark.parametrize("pooling", ["pool", "none"])
def test_upstream_down(twin: str, pooling: Literal["pool", "none"]):
    """Without its upstream a twin says 502, cache or not."""
    url = f"http://127.0.0.1:{free_port()}/arm/parity/data"
    settings = Settings(upstream_url=url, cache="memory", pooling=pooling)
    with TWINS[twin](settings) as client:
        assert table.problems(client, (table.EXTERNAL_DOWN, table.CACHED_DOWN)) == []


@twins
def test_upstream_fails(twin: str):
    """An upstream that answers with an error is as good as down."""
    with upstream(failure_rate=1.0) as url, TWINS[twin](Settings(upstream_url=f"{url}/arm/parity/data")) as client:
        assert table.problems(client, (table.EXTERNAL_DOWN, table.CACHED_DOWN)) == []


@twins
def test_upstream_unset(twin: str):
    """A target that was never told of an upstream says 502."""
    with TWINS[twin](Settings()) as client:
        assert table.problems(client, (table.EXTERNAL_DOWN, table.CACHED_DOWN)) == []


@twins
def test_upstream_too_slow(twin: str):
    """An upstream that takes longer than the time-out is as good as down."""
    with upstream(delay_ms=2_000) as url:
        settings = Settings(upstream_url=f"{url}/arm/parity/data", upstream_timeout_s=0.05)
        with TWINS[twin](settings) as client:
            assert table.problems(client, (table.EXTERNAL_DOWN,)) == []
