"""The handlers of `fastapi` and `fastapi-blocking`, all of them `async def`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
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
from targets.settings import Settings
from targets.source import AsyncSource

router = APIRouter()
Credentials = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def source(request: Request) -> AsyncSource:
    """The upstream and the cache in front of it."""
    worker_source: AsyncSource = request.app.state.source
    return worker_source


async def get_settings(request: Request) -> Settings:
    """What this app was made with."""
    settings: Settings = request.app.state.settings
    return settings


AppSettings = Annotated[Settings, Depends(get_settings)]


@router.get(routes.JSON)
async def read_json() -> dict[str, str]:
    """Routing and serialization, nothing else."""
    return answers.greeting()


@router.get(routes.PAYLOAD)
async def read_payload() -> dict[str, Any]:
    """Serialize about 100 KB; without the annotation FastAPI would copy it first, thirty times slower."""
    return answers.catalogue()


@router.get(routes.ITEM)
async def read_item(item_id: ItemId, q: Search | None = None, limit: Limit = LIMIT) -> dict[str, Any]:
    """Extract and validate path and query parameters."""
    return answers.found(item_id, q, limit)


@router.post(routes.ITEMS, status_code=201)
async def create_item(item: ItemIn) -> Item:
    """Validate a JSON body, answer through a model."""
    return answers.created(item)


@router.post(routes.FORM)
async def submit_form(form: Annotated[Signup, Form()]) -> dict[str, Any]:
    """Validate a form body."""
    return answers.registered(form)


@router.post(routes.LOGIN)
async def log_in(login: LoginIn) -> Token:
    """Give a token for a name and a password."""
    return people.log_in(login)


async def get_session(settings: AppSettings, credentials: Credentials) -> Session:
    """Whose request this is."""
    return people.find_session(settings.realm, credentials.credentials)


async def get_user(session: Annotated[Session, Depends(get_session)]) -> User:
    """Find the user of the session."""
    return people.find_user(session)


async def get_active_user(user: Annotated[User, Depends(get_user)]) -> User:
    """Refuse a user who is not active."""
    return people.require_active(user)


@router.get(routes.ME)
async def read_me(user: Annotated[User, Depends(get_active_user)]) -> User:
    """Go through a chain of dependencies."""
    return user


@router.get(routes.SECURE)
async def read_secure(settings: AppSettings, credentials: Credentials) -> dict[str, bool]:
    """Compare a bearer token."""
    return people.check_secret(credentials.credentials, settings.token)


@router.get(routes.EXTERNAL_DATA)
async def read_external_data(request: Request) -> dict[str, Any]:
    """Call a slow API."""
    return await source(request).fresh()


@router.get(routes.CACHED_DATA)
async def read_cached_data(request: Request, response: Response) -> dict[str, Any]:
    """Call a slow API, behind a cache."""
    answer, state = await source(request).cached()
    response.headers[routes.X_CACHE] = state
    return answer


@router.get(routes.CPU)
async def read_cpu() -> dict[str, int]:
    """Compute; the event loop serves nobody else meanwhile."""
    return answers.primes()


@router.get(routes.SLOW)
async def read_slow(request: Request, ms: WaitMs = WAIT_MS) -> dict[str, int]:
    """Wait for as long as the request says."""
    await source(request).wait(ms / 1000)
    return answers.waited(ms)


@router.get(routes.COMPUTE)
async def read_compute(ms: WaitMs = WAIT_MS) -> dict[str, int]:
    """Compute for as long as the request says; the event loop serves nobody else meanwhile."""
    return answers.computed(ms)


@router.get(routes.STREAM, response_class=StreamingResponse)
async def read_stream(request: Request, interval_ms: WaitMs = WAIT_MS, events: Events = EVENTS) -> StreamingResponse:
    """Send events at an interval, and a last one."""
    waiting = source(request)

    async def sent() -> AsyncIterator[str]:
        yield answers.event(1, events)
        for number in range(2, events + 1):
            await waiting.wait(interval_ms / 1000)
            yield answers.event(number, events)

    return StreamingResponse(sent(), media_type=routes.EVENTS, headers=routes.NOT_KEPT)


@router.post(routes.UPLOAD)
async def upload(request: Request) -> dict[str, Any]:
    """Take a body piece by piece, and say what came."""
    taken = answers.Upload()
    async for piece in request.stream():
        taken.add(piece)
    return taken.answer()


@router.get(routes.HEALTH)
async def read_health() -> dict[str, str]:
    """Say that this worker answers."""
    return answers.health()


@router.get(routes.STATS)
async def read_stats(request: Request) -> dict[str, Any]:
    """Tell what this worker's cache has done."""
    return source(request).counter.stats()
