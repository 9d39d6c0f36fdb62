"""The connections of an arm in several pods: spread by chance, from a seed, as a service spreads them."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from itertools import pairwise

import pytest

from harness.spec import DrivenArm, Mix, Request, Spec, Weighted
from harness.spec.loads import Closed, Load, Open
from loadtests.engine.asked import asked
from loadtests.engine.exchange import Backends, spread
from loadtests.engine.recorder import Window
from tests.loadtests.engine_support import null_server, run_rounds

ONE = Request(length=5)
MIX = Mix(name="shop", requests=tuple(Weighted(name=name, weight=1, variants=(ONE,)) for name in ("read", "list")))


def test_each_address_is_drawn_as_often_as_the_others() -> None:
    """By chance: no two in turn; and the same again from the same seed."""
    backends = Backends(["a", "b", "c", "d"])
    backends.begin("7/0")
    drawn = [backends.drawn() for _ in range(8000)]
    assert all(1800 < count < 2200 for count in Counter(drawn).values())
    follows = Counter(pairwise(drawn))
    assert min(follows.values()) > 400
    backends.begin("7/0")
    assert drawn == [backends.drawn() for _ in range(8000)]
    backends.begin("7/1")
    assert drawn[:20] != [backends.drawn() for _ in range(20)]


def test_one_port_is_not_drawn_for() -> None:
    """Its connections are made as ever."""
    assert spread("127.0.0.1", [8000]) is None
    arm = DrivenArm(name="a", port=8000, load=Closed(connections=1), request=ONE)
    assert asked(arm, connect_timeout_s=1, read_timeout_s=1).exchange.backends is None


@pytest.mark.parametrize("request_", [ONE, MIX])
def test_both_arms_of_a_pair_draw_alike(request_: Request | Mix) -> None:
    """The seed is that of the slice."""

    def drawn(seed: str) -> list[int]:
        arm = DrivenArm(name="a", port=8000, further_ports=(8001, 8002), load=Closed(connections=1), request=request_)
        made = asked(arm, connect_timeout_s=1, read_timeout_s=1)
        made.recording(Window(0, 1), None, seed)
        assert made.exchange.backends is not None
        return [made.exchange.backends.drawn()[1] for _ in range(30)]

    assert drawn("1/0") == drawn("1/0")
    assert drawn("1/0") != drawn("1/1")
    assert set(drawn("1/0")) == {8000, 8001, 8002}


@pytest.mark.live
@pytest.mark.beside
@pytest.mark.parametrize("law", ["null", "closing"])
@pytest.mark.parametrize("request_", [ONE, MIX])
@pytest.mark.parametrize("load", [Closed(connections=24), Open(connections=24, rate_rps=500)])
def test_every_pod_gets_its_part_and_every_answer_is_counted(load: Load, request_: Request | Mix, law: str) -> None:
    """Whether connections are kept, or made for each request."""
    with ExitStack() as stack:
        first, *others = (stack.enter_context(null_server(law)) for _ in range(3))
        arm = DrivenArm(
            name="a",
            port=first.port,
            further_ports=tuple(other.port for other in others),
            load=load,
            request=request_,
            arrivals_seed=7,
        )
        run = run_rounds(Spec(arms=(arm,), rounds=((0,), (0,)), slice_s=0.2, warmup_s=0.1))
        seen = [server.seen()["requests"] for server in (first, *others)]
    assert sum(seen) == run.totals[0].attempts == run.totals[0].good
    assert min(seen) > 0
    assert all(slice_.errors == 0 for slice_ in run.slices)
    if law == "null":
        assert all(len(slice_.ports) == 24 for slice_ in run.slices)
