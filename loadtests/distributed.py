"""Plain `locust -f` over several processes (`--processes N`, or `--master` and `--worker`): each drives its share.

Locust counts users over the whole cluster: of a user class that is to run once in every process it starts one in all,
and the other processes idle. So the master starts one user on each worker that is there when the test starts, and tells
all of them who they are. A worker that comes later has no share: it idles, and says so.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from locust import User
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.engine.starts import ALONE, Share

DRIVERS = "gatebench_drivers"
"""Locust hands options of this name to the workers, since it does not know it: the ids of all that have a share."""


class OneEach(UsersDispatcher):
    """Starts one user on each worker, whatever number of users Locust was asked for."""

    def new_dispatch(
        self, target_user_count: int, spawn_rate: float, user_classes: list[type[User]] | None = None
    ) -> None:
        """See `UsersDispatcher`."""
        every = min(target_user_count, 1) * len(self._worker_nodes)
        super().new_dispatch(every, max(spawn_rate, float(every)), user_classes)


def deal_out(environment: Environment, user: type[User]) -> None:
    """Have a master start `user` once on each worker; nothing where there is no master. Call it when Locust is made."""
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        one_each(environment, user)
        started: Any = environment.events.test_start  # Locust types its events loosely
        started.add_listener(partial(_tell, runner))


def one_each(environment: Environment, user: type[User]) -> None:
    """Let a master start `user` once on each worker."""
    user.fixed_count = 0  # which is of the cluster
    environment.dispatcher_class = OneEach


def share(environment: Environment) -> Share | None:
    """The share of this process; None when it came after the shares were dealt out."""
    if not isinstance(environment.runner, WorkerRunner):
        return ALONE
    drivers: list[str] = getattr(environment.parsed_options, DRIVERS, [])
    identity = environment.runner.client_id
    return Share(rank=drivers.index(identity), of=len(drivers)) if identity in drivers else None


def _tell(runner: MasterRunner, **_: Any) -> None:
    workers = runner.clients.ready + runner.clients.running + runner.clients.spawning
    ranked = sorted((worker.id for worker in workers), key=runner.get_worker_index)
    vars(runner.environment.parsed_options)[DRIVERS] = ranked
    runner.target_user_count = len(ranked)
