"""The target `fastapi-threadpool`: plain `def` handlers and dependencies, which FastAPI runs in AnyIO's 40 threads.

Each plain `def` is a way to a thread and back: the handler, each dependency, and the check of a declared answer.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from targets.contract import answers, people, routes
from targets.contract.models import (
    EVENTS,
    LIMIT,
    WAIT_MS,
    Events,
    Item,
    ItemId,
    ItemIn,
    Limit,
    LoginIn,
    Search,
    Session,
    Signup,
    Token,
    User,
    WaitMs,
)
from targets.fastapi_shared import assemble
from targets.settings import Settings, start
from targets.source import Source, open_source

router = APIRouter()
Credentials = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def source(request: Request) -> Source:
    """The upstream and the cache in front of it."""
    worker_source: Source = request.app.state.source
    return worker_source


def get_settings(request: Request) -> Settings:
    """What this app was made with."""
    settings: Settings = request.app.state.settings
    return settings


AppSettings = Annotated[Settings, Depends(get_settings)]


@router.get(routes.JSON)
def read_json() -> dict[str, str]:
    """Routing and serialization, nothing else."""
    return answers.greeting()


@router.get(routes.PAYLOAD)
def read_payload() -> dict[str, Any]:
    """Serialize about 100 KB."""
    return answers.catalogue()


@router.get(routes.ITEM)
def read_item(item_id: ItemId, q: Search | None = None, limit: Limit = LIMIT) -> dict[str, Any]:
    """Extract and validate path and query parameters."""
    return answers.found(item_id, q, limit)


@router.post(routes.ITEMS, status_code=201)
def create_item(item: ItemIn) -> Item:
    """Validate a JSON body, answer through a model."""
    return answers.created(item)


@router.post(routes.FORM)
def submit_form(form: Annotated[Signup, Form()]) -> dict[str, Any]:
    """Validate a form body."""
    return answers.registered(form)


@router.post(routes.LOGIN)
def log_in(login: LoginIn) -> Token:
    """Give a token for a name and a password."""
    return people.log_in(login)


def get_session(settings: AppSettings, credentials: Credentials) -> Session:
    """Whose request this is."""
    return people.find_session(settings.realm, credentials.credentials)


def get_user(session: Annotated[Session, Depends(get_session)]) -> User:
    """Find the user of the session."""
    return people.find_user(session)


def get_active_user(user: Annotated[User, Depends(get_user)]) -> User:
    """Refuse a user who is not active."""
    return people.require_active(user)


@router.get(routes.ME)
def read_me(user: Annotated[User, Depends(get_active_user)]) -> User:
    """Go through a chain of dependencies."""
    return user


@router.get(routes.SECURE)
def read_secure(settings: AppSettings, credentials: Credentials) -> dict[str, bool]:
    """Compare a bearer token."""
    return people.check_secret(credentials.credentials, settings.token)


@router.get(routes.EXTERNAL_DATA)
def read_external_data(request: Request) -> dict[str, Any]:
    """Call a slow API."""
    return source(request).fresh()


@router.get(routes.CACHED_DATA)
def read_cached_data(request: Request, response: Response) -> dict[str, Any]:
    """Call a slow API, behind a cache."""
    answer, state = source(request).cached()
    response.headers[routes.X_CACHE] = state
    return answer


@router.get(routes.CPU)
def read_cpu() -> dict[str, int]:
    """Compute."""
    return answers.primes()


@router.get(routes.SLOW)
def read_slow(request: Request, ms: WaitMs = WAIT_MS) -> dict[str, int]:
    """Wait for as long as the request says."""
    source(request).wait(ms / 1000)
    return answers.waited(ms)


@router.get(routes.COMPUTE)
def read_compute(ms: WaitMs = WAIT_MS) -> dict[str, int]:
    """Compute for as long as the request says."""
    return answers.computed(ms)


@router.get(routes.STREAM, response_class=StreamingResponse)
def read_stream(request: Request, interval_ms: WaitMs = WAIT_MS, events: Events = EVENTS) -> StreamingResponse:
    """Send events at an interval, and a last one; each wait takes a thread."""
    waiting = source(request)

    def sent() -> Iterator[str]:
        yield answers.event(1, events)
        for number in range(2, events + 1):
            waiting.wait(interval_ms / 1000)
            yield answers.event(number, events)

    return StreamingResponse(sent(), media_type=routes.EVENTS, headers=routes.NOT_KEPT)


async def received(request: Request) -> answers.Upload:
    """What was uploaded: only the event loop can read a body."""
    taken = answers.Upload()
    async for piece in request.stream():
        taken.add(piece)
    return taken


@router.post(routes.UPLOAD)
def upload(taken: Annotated[answers.Upload, Depends(received)]) -> dict[str, Any]:
    """Take a body piece by piece, and say what came."""
    return taken.answer()


@router.get(routes.HEALTH)
def read_health() -> dict[str, str]:
    """Say that this worker answers."""
    return answers.health()


@router.get(routes.STATS)
def read_stats(request: Request) -> dict[str, Any]:
    """Tell what this worker's cache has done."""
    return source(request).counter.stats()


def create_app(settings: Settings) -> FastAPI:
    """Make the app; its client and its cache last as long as the lifespan."""
    client = settings.choose_client("httpx", "requests", "httpx2")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_source(client, settings) as source:
            app.state.source = source
            yield

    return assemble(settings, router.routes, lifespan)


app = start(create_app)
