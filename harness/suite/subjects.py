"""Definitions of what is measured: servers, targets, scenarios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.strict import STRICT

Interface = Literal["wsgi", "asgi"]
Handler = Literal["sync", "async", "threadpool", "blocking"]
Level = str | int
"""One value of a factor."""
MOST_NAME = 200
Name = Annotated[str, Field(min_length=1, max_length=MOST_NAME)]
Count = Annotated[int, Field(ge=1)]
Argv = Annotated[tuple[str, ...], Field(min_length=1)]
"""A command line, which no shell sees."""
BRIDGED_APP = "gatebench_bridge:app"
"""What a server imports of a target with a bridge (targets/bridge)."""
READY_S = 30.0
"""How long a server may take until it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """How a server is told to replace its workers by new ones, which import the app afresh."""

    __pydantic_config__ = STRICT

    signal: Literal["HUP", "USR1", "USR2"]
    """What its first process is sent."""
    workers: Count = 1
    """With fewer it has nobody to replace them: the signal ends it."""


REQUESTS = "{requests}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycle:
    """How a server is told to replace a worker, by itself, that has served so many requests."""

    __pydantic_config__ = STRICT

    argv: Argv
    """What its command line ends with then; `REQUESTS` is filled."""
    workers: Count = 1
    """With fewer it has nobody to replace them: it ends."""

    def after(self, requests: int) -> tuple[str, ...]:
        """`argv` for so many requests."""
        return tuple(element.replace(REQUESTS, str(requests)) for element in self.argv)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What serves a target."""

    __pydantic_config__ = STRICT

    name: Name
    interface: Interface
    argv: tuple[str, ...]
    """The command line, which no shell sees. In each element `PLACEHOLDERS` are filled, and `{FACTOR}` by its level."""
    packages: tuple[str, ...]
    """Distributions that the target's interpreter must have; their versions are recorded."""
    programs: tuple[str, ...] = ()
    """Programs that must be on PATH and tell their version with `-v`, as nginx does; it is recorded."""
    slots: Literal["one", "threads", "loop"]
    """How many requests a worker handles at once: one, one in each thread, or as many as its event loop holds."""
    keep_alive: bool = True
    workers: bool = True
    """Whether it can run several worker processes."""
    factory: tuple[str, ...] | None = None
    """What takes the place of `{factory}` where the app is a factory, whose {app} then stands without `()`. Empty: it
    takes `module:create_app()` as it is. None: it can serve no factory."""
    reload: Reload | None = None
    """None: it cannot be told to."""
    tls: bool | dict[str, tuple[Level, ...]] = False
    """Whether it speaks TLS; or factor -> the levels with which it does. Its certificate is not checked."""
    recycle: Recycle | None = None
    """None: it replaces none for the number of its requests."""
    env: dict[str, str] = field(default_factory=dict)
    about: str = ""

    def speaks_tls(self, level_of: Callable[[str], Level]) -> bool:
        """Whether it speaks TLS where factors have these levels."""
        if isinstance(self.tls, bool):
            return self.tls
        return any(level_of(factor) in levels for factor, levels in self.tls.items())

    def serves(self, target: Target) -> bool:
        """Whether it can be told to import the app of `target`, which may be a factory."""
        if target.bridge or not target.is_factory:
            return True
        return self.factory is not None and (not self.factory or target.app.endswith("()"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """What wraps a WSGI app, so that an ASGI server serves it from a pool of threads."""

    __pydantic_config__ = STRICT

    name: Name
    wraps: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")]
    """`module:callable`, which takes the app."""
    packages: tuple[str, ...]
    """Distributions that the target's interpreter must have beside those of the server."""
    threads: str = ""
    """The argument of `wraps` that takes the level of the factor threads; empty: it uses AnyIO's pool."""
    about: str = ""

    def over(self, server: Server, target: Target) -> Server:
        """`server` as it serves `target` through this bridge: what it imports is ours, and wraps the app."""
        argv = tuple(part.replace("{app}", BRIDGED_APP) for part in server.argv if part != "{factory}")
        told = {"GATEBENCH_BRIDGE": self.wraps, "GATEBENCH_BRIDGED": target.app}
        if self.threads:
            told["GATEBENCH_BRIDGE_THREADS"] = self.threads
        return replace(
            server,
            argv=argv,
            packages=tuple(dict.fromkeys((*server.packages, *self.packages))),
            slots="threads" if self.threads else server.slots,
            env=server.env | told,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An application under test and how to import it."""

    __pydantic_config__ = STRICT

    name: Name
    interface: Interface
    """As what it is served: `asgi` where there is a bridge."""
    app: str = ""
    """Empty: it runs already, at `url`."""
    url: str = ""
    """Where it runs already; empty: it is launched."""
    pid: Annotated[int, Field(ge=1, le=2**22)] | None = None
    """Of what runs already: its main process, whose CPU and memory are read, with those of its descendants."""
    bridge: str = ""
    """Name of the bridge through which the WSGI app is served; empty: it is served as it is."""
    folder: str = "."
    packages: tuple[str, ...]
    handler: Handler
    """How it handles a request, which bounds what a worker does at once, as its server does."""
    levels: dict[str, tuple[Level, ...]] = field(default_factory=dict)
    """Factor -> the levels that this target has, the first of which is its default. A factor that is not named here has
    the levels that its own definition gives this target."""
    python: str = ""
    """The interpreter, relative to the file; empty: the one that runs gatebench."""
    env: dict[str, str] = field(default_factory=dict)
    ready_path: str = ""
    """It is ready when a GET of this path is answered with a status below 400. Empty: when it answers the scenario's
    request, with whatever status."""
    ready_s: Annotated[float, Field(gt=0, le=3600)] = READY_S
    setup: tuple[Argv, ...] = ()
    """Commands that run one after the other in its folder before its first launch, once a sitting."""
    teardown: tuple[Argv, ...] = ()
    """Commands that run after its last."""
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")] = ""
    """The commit of the git repository around `folder` that is measured, in a work tree of its own; empty: the folder
    as it stands."""
    revision: str = ""
    """What `run --rev` called that commit, which then ends the name: `shop@main`."""
    requirements: tuple[str, ...] = ()
    """Files, relative to the folder, of which an environment of its own is made, by `python`; empty: `python` is that
    of its environment."""
    about: str = ""

    @property
    def family(self) -> str:
        """Its name without its revision, which several revisions of one target share."""
        return self.name.removesuffix(f"@{self.revision}") if self.revision else self.name

    @property
    def is_seen(self) -> bool:
        """Whether its processes are known: CPU, memory and threads are figures then."""
        return not self.url or self.pid is not None

    @property
    def is_factory(self) -> bool:
        """Whether `app` calls what it imports, as `module:create_app()`."""
        return "(" in self.app


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The request of a scenario."""

    __pydantic_config__ = STRICT

    method: str = "GET"
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What the answer must be; every key that is stated is checked."""

    __pydantic_config__ = STRICT

    status: int = 200
    json: Any = None
    sha256_json: str | None = None
    """SHA-256 of the parsed answer, written again with sorted keys and no spaces."""
    sha256: str | None = None
    """SHA-256 of the body."""
    body_bytes: Annotated[int, Field(ge=0)] | None = None
    contains: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    headers_present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted(Ask):
    """One of the requests of a mix.

    In its path, headers and body, and in what is expected, `{name}` stands for a value: that of a column of the data,
    or the `{token}` of the login (`harness.suite.mix`).
    """

    __pydantic_config__ = STRICT

    name: Name
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    """Its share is its weight by the sum of all weights."""
    expect: Expect


@dataclass(frozen=True, slots=True, kw_only=True)
class Login(Ask):
    """A request that is sent once to a server before it is verified; its answer has the token of the later requests."""

    __pydantic_config__ = STRICT

    method: str = "POST"
    token: Annotated[str, Field(min_length=1)] = "access_token"  # noqa: S105 - where a token stands, is none
    """The key of the token in the JSON of the answer; `data.token` is the key `token` in the object `data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One request and its expected answer, or a mix of several by weight, and the cost that it isolates."""

    __pydantic_config__ = STRICT

    name: Name
    about: str
    request: Ask | None = None
    """The request, where there is one; its expected answer is `expect`."""
    expect: Expect | None = None
    mix: tuple[Weighted, ...] = ()
    """The requests of a mix, each with what is expected of it; in the file `request` is then an array of tables."""
    login: Login | None = None
    data: str = ""
    """A CSV or JSON-lines file, relative to the file that states it, whose rows fill the requests of a mix."""
    data_rows: Annotated[int, Field(ge=1, le=1000)] = 100
    """Rows of it that are used at most; of a longer file those that lie evenly in it."""
    upstream_calls: Annotated[int, Field(ge=0)] = 0
    """Calls of the slow API that an uncached answer costs."""
    factors: tuple[str, ...] = ()
    """The factors with `by_scenario` that are varied here; the others of that kind stand at "none"."""
    connections: Count = 64
    bound: str = ""

    @property
    def requests(self) -> tuple[Weighted, ...]:
        """All its requests: those of the mix, or the one."""
        if self.request is None or self.expect is None:
            return self.mix
        asked = self.request
        return (
            Weighted(
                name=f"{asked.method} {asked.path}"[:MOST_NAME],
                method=asked.method,
                path=asked.path,
                headers=asked.headers,
                body=asked.body,
                expect=self.expect,
            ),
        )
