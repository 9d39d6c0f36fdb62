"""What a master and its generators say: messages, clocks, and what comes late or twice."""

from __future__ import annotations

import pytest
from gevent.event import Event
from hypothesis import given
from hypothesis import strategies as st

from harness.spec import Totals
from loadtests.several.clocks import OURS, Clock, Trip, clock
from loadtests.several.messages import Armed, Done, Ping, Pong, StartAt, disagreement, packed, unpacked, versions
from loadtests.several.post import Inbox, until_acknowledged

DONE = Done(
    step=3,
    totals=(Totals(arm="a", attempts=1, good=1, errors=0, connects=1, reconnects=0, response_s=None),),
    error="stopped",
)


@pytest.mark.parametrize("message", [DONE, Armed(step=1), Ping(step=2), StartAt(step=2, at_ns=10**18)])
def test_a_message_arrives_as_it_was_sent(message: Done) -> None:
    """Whoever says it."""
    assert unpacked("nonce", packed("nonce", message)) == message


@pytest.mark.parametrize("data", [None, "text", {}, packed("another run's", DONE)])
def test_a_message_of_another_run_is_none_of_ours(data: object) -> None:
    """Nor is one without a nonce."""
    assert unpacked("nonce", data) is None


def test_what_is_no_message_is_an_error() -> None:
    """Though it has the nonce."""
    with pytest.raises(ValueError, match="kind"):
        unpacked("nonce", {"nonce": "nonce", "text": '{"kind": "attack"}'})


def test_a_result_that_comes_twice_counts_once() -> None:
    """The first one; of another generator or another step it is another one."""
    inbox = Inbox()
    again = Done(step=3, error="sent again")
    for message in (DONE, again):
        inbox.put(0, message)
    assert inbox.get(Done, 3, 0) == DONE
    assert inbox.get(Done, 3, 1) is None
    assert inbox.get(Done, 4, 0) is None
    assert inbox.get(Pong, 3, 0) is None
    inbox.forget(before=4)
    assert inbox.get(Done, 3, 0) is None


def test_a_result_is_sent_again_until_it_is_acknowledged() -> None:
    """However often it is lost."""
    sent: list[Done] = []
    acknowledged = Event()

    def send() -> None:
        sent.append(DONE)
        if len(sent) == 3:
            acknowledged.set()

    until_acknowledged(send, acknowledged, every_s=0.001)
    assert sent == [DONE] * 3


@given(
    offset_ns=st.integers(-(10**18), 10**18),
    ways=st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)), min_size=1),
    at_ns=st.integers(0, 10**18),
)
def test_a_clock_is_known_to_half_the_least_round_trip(offset_ns: int, ways: list[tuple[int, int]], at_ns: int) -> None:
    """Whatever the two ways took, the truth is within the bound; and there and back again is the same moment."""
    trips = [Trip(at_ns, at_ns + there + offset_ns, at_ns + there + back) for there, back in ways]
    found = clock(trips)
    assert found.bound_ns == (min(there + back for there, back in ways) + 1) // 2
    assert abs(found.offset_ns - offset_ns) <= 2 * found.bound_ns + 1
    if found.offset_ns:
        assert abs(found.offset_ns - offset_ns) <= found.bound_ns + 1
    assert found.here(found.there(at_ns)) == at_ns


def test_an_offset_within_its_error_is_taken_for_none() -> None:
    """So the generators of one machine share its clock to the nanosecond."""
    assert clock([Trip(0, 1_400, 2_000)]) == Clock(offset_ns=0, bound_ns=1_000)
    assert clock([Trip(0, 5_000, 2_000)]) == Clock(offset_ns=4_000, bound_ns=1_000)


@pytest.mark.parametrize(("bound_ms", "refused"), [(4.9, False), (5.0, False), (5.1, True)])
def test_a_clock_that_is_known_badly_is_refused(bound_ms: float, refused: bool) -> None:  # noqa: FBT001 - a table
    """Beyond 1 % of a slice of half a second."""
    known = Clock(offset_ns=0, bound_ns=round(bound_ms * 1e6))
    assert known.within(0.01, 500_000_000) is not refused
    assert OURS.within(0.0, 500_000_000)


def test_versions_that_differ_are_named() -> None:
    """With what is to be done."""
    ours = versions()
    assert set(ours) == {"spec", "locust", "python"}
    assert disagreement(ours, ours) is None
    older = ours | {"locust": "1.0"}
    assert disagreement(older, ours) == f"it has locust 1.0, the master {ours['locust']}: install the same"
