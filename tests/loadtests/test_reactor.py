"""The reactor shares its thread with the greenlets of Locust."""

from __future__ import annotations

import os
from functools import partial

import gevent
from gevent.socket import wait_read

from loadtests.engine.reactor import Reactor
from loadtests.engine.timer import monotonic_ns

SECOND_NS = 1_000_000_000
MESSAGES = 50


def test_what_comes_to_other_greenlets_is_served_while_load_runs() -> None:
    """Messages of a master, visitors of the web page: a row of them takes turns, not seconds each."""
    reactor = Reactor()
    heard: list[bytes] = []
    out, into = os.pipe()

    def tell(message: bytes) -> None:
        os.write(into, message)

    def listen() -> None:
        while len(heard) < MESSAGES:
            wait_read(out)
            heard.append(os.read(out, 100))
            tell(b"the next")
        reactor.stop()

    listener = gevent.spawn(listen)
    gevent.sleep(0)  # it waits now
    reactor.at(monotonic_ns(), partial(tell, b"the first"))
    reactor.at(monotonic_ns() + 2 * SECOND_NS, reactor.stop)
    reactor.run()
    assert len(heard) == MESSAGES
    listener.join()
    reactor.close()
    os.close(out)
    os.close(into)
