"""Limits: what bound a trial, its ceiling, and the confounds that its record shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from harness.judge.limits import diagnoses, limit
from harness.record import Trial
from harness.suite import Arm, Server, Target, Upstream, slots
from harness.units import THIN
from tests import factories
from tests.factories import EXTERNAL, FASTAPI, FLASK, GTHREAD, JSON, PLACEMENT, SYNC, UVICORN

FOUR_CPUS = {"server": (0, 1, 2, 3), "generator": (4,), "services": (5,)}
GEVENT = replace(SYNC, name="gunicorn-gevent", slots="loop", keep_alive=True)
THREADPOOL = replace(FASTAPI, name="fastapi-threadpool", handler="threadpool")
BLOCKING = replace(FASTAPI, name="fastapi-blocking", handler="blocking")
SLOW = factories.plan(upstream=Upstream(delay_ms=50.0))
QUICK = factories.plan(upstream=Upstream(delay_ms=20.0))


def trial(arm: Arm, rps: float, cpu: float = 0.3, upstream: float = 0.05, **changes: Any) -> Trial:
    """A closed trial at `rps` whose server uses `cpu` CPUs and whose upstream uses `upstream` of one."""
    rows = tuple(
        factories.slice_row(round=number, throughput_rps=rps, in_flight=float(arm.connections), cpu_s=cpu * 0.5)
        for number in range(3)
    )
    services = {"upstream": upstream * 1.5} if arm.scenario.upstream_calls else {}
    given: dict[str, Any] = {"slices": rows, "services_cpu_s": services}
    return factories.trial(arm, **given | changes)


@pytest.mark.parametrize(
    ("target", "server", "factors", "expected"),
    [
        (FLASK, SYNC, {"workers": 2}, 2),
        (FLASK, GTHREAD, {"workers": 2, "threads": 8}, 16),
        (FLASK, GEVENT, {"workers": 2}, 2000),
        (FASTAPI, UVICORN, {"workers": 2}, float("inf")),
        (THREADPOOL, UVICORN, {"workers": 2}, 80),
        (BLOCKING, UVICORN, {"workers": 2}, 2),
    ],
)
def test_slots_follow_from_the_server_and_the_handler(
    target: Target, server: Server, factors: dict[str, Any], expected: float
):
    """A worker holds one request, one a thread, 40 in AnyIO's pool, or as many as its loop does."""
    assert slots(factories.arm(target=target, server=server, **factors)) == expected


@dataclass(frozen=True)
class Case:
    """A trial like one of a real run, and what bound it."""

    arm: Arm
    trial: Trial
    limit: str | None
    ceiling: float


def _cases() -> dict[str, Case]:
    sync = factories.flask_arm(server=SYNC, workers=2, scenario=EXTERNAL)
    json = factories.arm()
    four = factories.arm(scenario=EXTERNAL, connections=4)
    usual = factories.arm(scenario=EXTERNAL)
    gthread = factories.flask_arm(scenario=EXTERNAL)
    alone = factories.arm(connections=1)
    busy = factories.generator(cpu_percent=95.0, valid=False)
    waiting = factories.generator(waiting_fraction=0.2, valid=False)
    return {
        "gunicorn sync, 2 workers": Case(sync, trial(sync, 38.5, cpu=0.08), "worker-slots", 40.0),
        "8 threads": Case(gthread, trial(gthread, 150.0, cpu=0.3), "worker-slots", 160.0),
        "json on one core": Case(json, trial(json, 5000.0, cpu=0.96), "server-cpu", 5000 / 0.96),
        "4 connections": Case(four, trial(four, 75.0, cpu=0.1), "connections", 80.0),
        "1 connection, no upstream": Case(alone, trial(alone, 2600.0, cpu=0.5), "connections", 2600 / 0.5),
        "an upstream out of CPU": Case(usual, trial(usual, 90.0, cpu=0.1, upstream=0.97), "upstream", 90 / 0.98),
        "an upstream that starves the generator": Case(
            usual, trial(usual, 90.0, cpu=0.1, upstream=0.97, generator=waiting), "upstream", 90 / 0.98
        ),
        "a target faster than the generator": Case(
            json, trial(json, 60_000.0, cpu=0.7, generator=busy), "generator", 60_000 / 0.7
        ),
        "a generator that had to wait": Case(
            json, trial(json, 3000.0, cpu=0.6, generator=waiting), "generator", 3000 / 0.6
        ),
        "nothing": Case(json, trial(json, 3000.0, cpu=0.6), None, 3000 / 0.6),
    }


CASES = _cases()


@pytest.mark.parametrize("name", CASES)
def test_the_limit_is_named_with_its_ceiling(name: str):
    """The busiest resource bound it; the ceiling is the lowest that any of them allows."""
    case = CASES[name]
    bound, ceiling = limit(case.trial, case.arm, SLOW, PLACEMENT)
    assert bound == case.limit
    # The generator's 0.1 ms a request come off the CPU that it shares with the upstream.
    assert ceiling == pytest.approx(case.ceiling, rel=0.03)


def test_a_worker_can_use_one_cpu_of_four():
    """One worker is bound by the CPU when it uses one, however many there are."""
    arm = factories.arm()
    assert limit(trial(arm, 5000.0, cpu=0.95), arm, SLOW, FOUR_CPUS)[0] == "server-cpu"
    four = factories.arm(workers=4)
    assert limit(trial(four, 5000.0, cpu=0.95), four, SLOW, FOUR_CPUS)[0] is None
    assert limit(trial(four, 19_000.0, cpu=3.8), four, SLOW, FOUR_CPUS)[0] == "server-cpu"


def test_stolen_cpu_is_not_there_to_use():
    """A server that uses three quarters of a CPU is bound by it when the hypervisor takes a tenth."""
    arm = factories.arm()
    rows = tuple(factories.slice_row(round=number, cpu_s=0.375, steal_fraction=0.1) for number in range(3))
    assert limit(factories.trial(arm, slices=rows), arm, SLOW, PLACEMENT)[0] == "server-cpu"


def test_who_shares_the_only_cpu_has_the_rest():
    """On one CPU the server is bound by it when it and the generator use it up."""
    arm = factories.arm()
    one_cpu = {"server": (0,), "generator": (0,), "services": (0,)}
    shared = trial(arm, 4000.0, cpu=0.55, generator_cpu_s_per_request=0.0001)
    assert limit(shared, arm, SLOW, one_cpu)[0] == "server-cpu"
    assert limit(shared, arm, SLOW, PLACEMENT)[0] is None


def test_cached_answers_do_not_wait():
    """Behind a cache that always hits neither slots nor connections are held by the upstream."""
    arm = factories.flask_arm(scenario=EXTERNAL, cache="redis")
    cached = trial(arm, 3000.0, cpu=0.95, cache_hit_ratio=1.0)
    bound, ceiling = limit(cached, arm, SLOW, PLACEMENT)
    assert bound == "server-cpu"
    assert ceiling == pytest.approx(3000 / 0.95)


def test_a_failure_has_no_limit():
    """Where nothing was answered there is nothing to explain."""
    arm = factories.arm()
    assert limit(factories.failed_trial(arm), arm, SLOW, PLACEMENT) == (None, None)
    assert diagnoses(factories.failed_trial(arm), arm, (), SLOW, PLACEMENT) == ()


def kinds(judged: Trial, arm: Arm, *siblings: Trial) -> list[str]:
    """The names of what is diagnosed on a 20 ms upstream."""
    return [caveat.kind for caveat in diagnoses(judged, arm, siblings, QUICK, PLACEMENT)]


def test_a_blocking_call_is_diagnosed_with_its_evidence():
    """An event loop that answers requests one after the other while connections wait blocks somewhere."""
    arm = factories.arm(target=BLOCKING, scenario=EXTERNAL)
    (caveat,) = diagnoses(trial(arm, 47.0, cpu=0.06), arm, (), QUICK, PLACEMENT)
    assert caveat.kind == "blocking-call"
    assert caveat.arm == arm.id
    assert "1.00 requests in hand at once with 32 connections waiting" in caveat.text
    assert "50.0/s" in caveat.text
    assert "await" in caveat.remedy


def test_a_declared_async_handler_that_blocks_is_diagnosed_too():
    """The evidence counts, not what the definition says."""
    arm = factories.arm(scenario=EXTERNAL)
    assert kinds(trial(arm, 47.0, cpu=0.06), arm) == ["blocking-call"]


@pytest.mark.parametrize(
    ("changes", "rps", "figures"),
    [
        ({}, 800.0, {"cpu": 0.7}),
        ({"connections": 1}, 47.0, {"cpu": 0.06}),
        ({}, 47.0, {"cpu": 0.9}),
        ({}, 47.0, {"cpu": 0.06, "upstream": 0.95}),
        ({"target": FLASK, "server": SYNC}, 47.0, {"cpu": 0.06}),
    ],
)
def test_no_blocking_call_is_diagnosed_where_something_else_explains_it(
    changes: dict[str, Any], rps: float, figures: dict[str, float]
):
    """Many in hand, one connection, a used-up CPU or upstream, or a server that is meant to do one at a time."""
    arm = factories.arm(**{"scenario": EXTERNAL} | changes)
    assert "blocking-call" not in kinds(trial(arm, rps, **figures), arm)


def test_anyios_thread_limit_is_diagnosed():
    """Forty threads busy and more connections waiting is AnyIO's default."""
    arm = factories.arm(target=THREADPOOL, scenario=EXTERNAL, connections=64)
    caveats = diagnoses(trial(arm, 760.0, cpu=0.6), arm, (), SLOW, PLACEMENT)
    assert [caveat.kind for caveat in caveats] == ["anyio-threads"]
    assert "total_tokens" in caveats[0].remedy
    fewer = factories.arm(target=THREADPOOL, scenario=EXTERNAL, connections=32)
    assert "anyio-threads" not in kinds(trial(fewer, 600.0, cpu=0.6), fewer)


def test_httpxs_pool_is_diagnosed_against_another_client():
    """A pooled httpx that uses up the CPU at several times a sibling's cost is diagnosed, and the sibling is named."""
    arm = factories.arm(scenario=EXTERNAL, client="httpx")
    mine = trial(arm, 200.0, cpu=0.97)
    rival_arm = factories.arm(scenario=EXTERNAL, client="httpx2")
    rival = trial(rival_arm, 1000.0, cpu=0.97)
    (caveat,) = diagnoses(mine, arm, (rival,), QUICK, PLACEMENT)
    assert caveat.kind == "client-pool"
    assert "httpx2 (fastapi)" in caveat.text
    assert kinds(mine, arm) == []
    assert kinds(rival, rival_arm, mine) == []
    threads = factories.flask_arm(scenario=EXTERNAL, threads=32)
    assert kinds(mine, arm, trial(threads, 1200.0, cpu=0.97)) == ["client-pool"]
    assert kinds(mine, arm, trial(threads, 400.0, cpu=0.97)) == []


def test_a_client_per_request_is_diagnosed():
    """Against its pooled sibling, or alone when it costs what loading a TLS context does."""
    arm = factories.arm(scenario=EXTERNAL, pooling="none")
    pooled = trial(factories.arm(scenario=EXTERNAL, pooling="pool"), 500.0, cpu=0.95)
    assert kinds(trial(arm, 250.0, cpu=0.95), arm, pooled) == ["client-per-request"]
    assert kinds(trial(arm, 45.0, cpu=0.95), arm) == ["client-per-request"]
    assert kinds(trial(arm, 250.0, cpu=0.95), arm) == []


def test_uneven_workers_are_diagnosed():
    """A worker that answers twice its fair share is not poor scaling."""
    arm = factories.arm(workers=4)
    shares = {"1": 0.6, "2": 0.2, "3": 0.1, "4": 0.1}
    assert kinds(trial(arm, 5000.0, cpu=0.95, worker_shares=shares), arm) == ["uneven-workers"]
    assert kinds(trial(arm, 5000.0, cpu=0.95), arm) == []


def test_a_missing_keep_alive_is_diagnosed():
    """A server that closes its connections is diagnosed, since its ratio partly measures TCP."""
    arm = factories.flask_arm(server=SYNC)
    assert kinds(trial(arm, 2000.0, cpu=0.95, connections_per_request=1.0), arm) == ["no-keep-alive"]


def test_a_cache_that_costs_more_than_it_saves_is_diagnosed():
    """Slower with Redis than without is diagnosed; faster is not."""
    arm = factories.arm(scenario=EXTERNAL, cache="redis")
    bare = trial(factories.arm(scenario=EXTERNAL), 1000.0, cpu=0.95)
    assert kinds(trial(arm, 800.0, cpu=0.95, cache_hit_ratio=0.99), arm, bare) == ["costly-cache"]
    assert kinds(trial(arm, 2000.0, cpu=0.95, cache_hit_ratio=0.99), arm, bare) == []


def test_starving_connections_are_diagnosed():
    """In any slice; a record that does not know of any is no evidence."""
    arm = factories.flask_arm(server=GEVENT)
    for starved, expected in ((40, ["starving"]), (0, []), (None, [])):
        rows = (factories.slice_row(cpu_s=0.48), factories.slice_row(round=1, cpu_s=0.48, starved=starved))
        assert kinds(factories.trial(arm, slices=rows), arm) == expected


def test_a_round_that_was_left_out_is_no_evidence():
    """What a disturbance did to the connections of one round says nothing of the server."""
    arm = factories.flask_arm(server=GEVENT)
    rows = (factories.slice_row(cpu_s=0.48), factories.slice_row(round=1, cpu_s=0.48, starved=40))
    assert kinds(factories.trial(arm, slices=rows, dropped_rounds=(1,)), arm) == []


def test_an_answer_that_waits_for_an_acknowledgement_is_diagnosed():
    """Forty-four milliseconds of an idle server; those of a busy one, or others, are no evidence."""
    arm = factories.arm(workers=2, connections=32, scenario=JSON)
    slow = factories.latency(44_000.0, p90=45_000.0)
    assert kinds(trial(arm, 720.0, cpu=0.1, latency_us=slow), arm) == ["delayed-ack"]
    assert kinds(trial(arm, 720.0, cpu=0.95, latency_us=slow), arm) == []
    for other in (factories.latency(60_000.0), factories.latency(44_000.0)):
        assert kinds(trial(arm, 720.0, cpu=0.1, latency_us=other), arm) == []


def test_stalls_are_diagnosed_where_the_p99_is_made_of_them():
    """Enough of them, for enough of the time; a record that does not know of any is no evidence."""
    arm = factories.arm(connections=256, scenario=EXTERNAL, rate_rps=3200.0)
    slow = factories.latency(54_000.0, p99=98_000.0)

    def standing(stalls: int | None, stalled_s: float | None, cpu: float = 0.7) -> Trial:
        given = {"length_s": 2.0, "cpu_s": 2.0 * cpu, "stalls": stalls, "stalled_s": stalled_s}
        rows = [factories.slice_row(round=n, **given) for n in range(3)]
        return factories.trial(arm, phase="open", slices=tuple(rows), latency_us=slow)

    (caveat,) = diagnoses(standing(4, 0.16), arm, (), QUICK, PLACEMENT)
    assert caveat.kind == "stalls"
    assert f"2.0 times a second nothing was answered for 40.0{THIN}ms, while 3,200/s came in" in caveat.text
    assert f"p99 of 98.0{THIN}ms" in caveat.text
    for stalls, stalled_s in ((1, 0.16), (4, 0.015), (0, 0.0), (None, None)):
        assert kinds(standing(stalls, stalled_s), arm) == []
    assert kinds(standing(4, 0.16, cpu=0.95), arm) == []


def test_too_few_connections_are_diagnosed():
    """A load that is too small for the server, or for its workers to share, is the load's fault."""
    few = factories.arm(scenario=EXTERNAL, connections=4)
    assert kinds(trial(few, 190.0, cpu=0.2), few) == ["few-connections"]
    shared = factories.arm(workers=8, connections=32, scenario=JSON)
    assert kinds(trial(shared, 5000.0, cpu=0.95), shared) == ["imbalanced"]


def test_nothing_is_said_of_a_cpu_that_is_not_known():
    """Of what runs already without a pid: no stalls at "0 % of the CPU", and no limit that would follow from it."""
    live = replace(FASTAPI, name="live", app="", url="http://127.0.0.1:8000")
    arm = factories.arm(connections=256, target=live, rate_rps=3200.0)
    row = factories.slice_row(length_s=2.0, cpu_s=None, outside_fraction=None, stalls=20, stalled_s=0.4)
    slow = factories.latency(54_000.0, p99=98_000.0)
    standing = factories.trial(arm, phase="open", slices=(row,), latency_us=slow, cpu_s_per_request=None)
    assert kinds(standing, arm) == []
    assert limit(standing, arm, QUICK, PLACEMENT) == (None, None)
    assert kinds(standing, replace(arm, target=replace(live, pid=7))) == ["stalls"]
