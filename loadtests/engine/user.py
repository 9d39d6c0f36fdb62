"""The engine as Locust's user: one a process, whose only task drives every connection."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.event import AsyncResult
from locust import User, task
from locust.exception import StopUser


def user_running(run: Callable[[], None], finished: AsyncResult[None]) -> type[User]:
    """A user class for `run`, whose end, return or exception, is told through `finished`."""
    started = False

    class Engine(User):
        fixed_count = 1

        @task
        def drive(self) -> None:
            nonlocal started
            if started:  # Locust may start more users than it was asked for
                gevent.sleep(float("inf"))
            started = True
            try:
                run()
            except BaseException as error:  # Locust would log it and call again; a kill is told too
                finished.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                finished.set(None)
            raise StopUser

    return Engine
