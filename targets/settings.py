"""The factors of a target: read once, at start-up, from the environment."""

import gc
import sys
from collections.abc import Callable
from typing import Any, Literal, Self, TypeVar

from pydantic import PositiveFloat, PositiveInt, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

App = TypeVar("App")

ClientName = Literal["requests", "httpx", "httpx2", "aiohttp"]

GIVE_UP = 3
"""Exit code of a target that cannot start. Gunicorn then does not try again (its Arbiter.WORKER_BOOT_ERROR)."""


class ImpossibleError(ValueError):
    """Factors that cannot go together."""


class Settings(BaseSettings):
    """The factors, from `GATEBENCH_POOLING`, `GATEBENCH_CLIENT`, and so on."""

    model_config = SettingsConfigDict(env_prefix="GATEBENCH_", env_ignore_empty=True, frozen=True, extra="ignore")

    pooling: Literal["none", "pool"] = "pool"
    """`none`: a client for each request. `pool`: one, made at start-up, for the life of the worker."""
    pool_size: PositiveInt = 64
    client: ClientName | Literal["none"] = "none"
    """What calls the upstream; `none`: the target's default."""
    cache: Literal["none", "memory", "redis"] = "none"
    cache_ttl_s: PositiveInt = 300
    cache_prefix: str = "gatebench:"
    """Different for each arm, so that arms never share keys."""
    redis_url: str | None = None
    middleware: Literal["none", "pure", "base"] = "none"
    gc: Literal["none", "freeze"] = "none"
    """`freeze`: the collector never looks again at what is loaded when the app is made (`gc.freeze`)."""
    trusted_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    upstream_url: str | None = None
    upstream_timeout_s: PositiveFloat = 10.0
    threads: PositiveInt = 1
    """Threads of one worker process."""
    served: str | None = None
    """File in which requests are counted (`targets.served`); None: nowhere."""
    realm: str = "gatebench"
    token: str = "open-sesame"  # noqa: S105 - it guards a greeting in a benchmark

    @model_validator(mode="after")
    def _redis_has_a_url(self) -> Self:
        if self.cache == "redis" and self.redis_url is None:
            raise ImpossibleError("GATEBENCH_CACHE=redis needs GATEBENCH_REDIS_URL")
        return self

    @property
    def connections(self) -> int:
        """Limit of every pool of this worker, whatever the client: never fewer than the threads that draw on it."""
        return max(self.pool_size, self.threads)

    def choose_client(self, *allowed: ClientName) -> ClientName:
        """The client to call the upstream with, of those that the target can use; the first is its default."""
        if self.client == "none":
            return allowed[0]
        if self.client not in allowed:
            raise ImpossibleError(f"GATEBENCH_CLIENT={self.client} is not one of {', '.join(allowed)}")
        return self.client


def start(create: Callable[[Any], App], read: type[BaseSettings] = Settings) -> App:
    """`create` with the environment's settings, or one line on standard error and the end of the process."""
    try:
        settings = read()
        app = create(settings)
    except ImpossibleError as error:
        problem = str(error)
    except ValidationError as error:
        problem = _in_one_line(error, read.model_config["env_prefix"])
    else:
        if isinstance(settings, Settings) and settings.gc == "freeze":
            gc.collect()
            gc.freeze()
        return app
    sys.stderr.write(f"gatebench: {create.__module__}: {problem}\n")
    raise SystemExit(GIVE_UP)


def _in_one_line(error: ValidationError, prefix: str) -> str:
    problems = []
    for problem in error.errors(include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        name = "_".join(str(part) for part in problem["loc"]).upper()
        problems.append(f"{prefix}{name}={problem['input']}: {message}" if name else message)
    return "; ".join(problems)
