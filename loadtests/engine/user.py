"""The engine as a Locust user: one user a process, whose only task drives every connection."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.event import AsyncResult
from locust import User, task
from locust.exception import StopUser


def user_running(run: Callable[[], None], finished: AsyncResult[None]) -> type[User]:
    """A user class that calls `run` once; `finished` then gets None, or what `run` raised."""
    started = False

    class Engine(User):
        fixed_count = 1

        @task
        def drive(self) -> None:
            nonlocal started
            if started:  # Locust may start more users than it was asked for: they idle until it ends them
                gevent.sleep(float("inf"))
            started = True
            try:
                run()
            except BaseException as error:  # Locust would log it and call again; the end of a greenlet counts too
                finished.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                finished.set(None)
            raise StopUser

    return Engine
