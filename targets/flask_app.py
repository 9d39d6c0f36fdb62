"""The target `flask`: WSGI, validating with Pydantic by hand, as Flask users do."""

from contextlib import ExitStack
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from targets import flask_stack
from targets.contract import answers, people, routes
from targets.contract.models import (
    ComputeQuery,
    ItemIn,
    ItemQuery,
    LoginIn,
    Session,
    Signup,
    SlowQuery,
    StreamQuery,
    User,
)
from targets.contract.refusals import RefusedError
from targets.served import CountedWsgi, Served
from targets.settings import ImpossibleError, Settings, start
from targets.source import Source, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask.typing import ResponseReturnValue

Answer = TypeVar("Answer")
PIECE_BYTES = 65_536
"""Of an upload, read at once."""

bp = Blueprint("targets", __name__)


def current_settings() -> Settings:
    """What this app was made with."""
    settings: Settings = current_app.config["GATEBENCH"]
    return settings


def current_source() -> Source:
    """The upstream and the cache in front of it."""
    source: Source = current_app.extensions["gatebench"]
    return source


def arguments() -> dict[str, str]:
    """The query's parameters: the last of several with one name counts, as with FastAPI."""
    return dict(request.args.items(multi=True))


@bp.get(routes.JSON)
def read_json() -> dict[str, str]:
    """Routing and serialization, nothing else."""
    return answers.greeting()


@bp.get(routes.PAYLOAD)
def read_payload() -> dict[str, Any]:
    """Serialize about 100 KB."""
    return answers.catalogue()


@bp.get(routes.ITEM_FLASK)
def read_item(item_id: str) -> dict[str, Any]:
    """Extract and validate path and query parameters."""
    query = ItemQuery.model_validate({**arguments(), "item_id": item_id})
    return answers.found(query.item_id, query.q, query.limit)


@bp.post(routes.ITEMS)
def create_item() -> tuple[dict[str, Any], int]:
    """Validate a JSON body, answer through a model."""
    item = ItemIn.model_validate(request.get_json(silent=True))
    return answers.created(item).model_dump(mode="json"), 201


@bp.post(routes.FORM)
def submit_form() -> dict[str, Any]:
    """Validate a form body; an empty field counts as not sent, as with FastAPI."""
    fields = {name: value for name, value in request.form.items(multi=True) if value}
    return answers.registered(Signup.model_validate(fields))


@bp.post(routes.LOGIN)
def log_in() -> dict[str, Any]:
    """Give a token for a name and a password."""
    login = LoginIn.model_validate(request.get_json(silent=True))
    return people.log_in(login).model_dump(mode="json")


def current_session() -> Session:
    """Whose request this is: looked up once a request and kept in `g`."""
    if "session" not in g:
        token = people.bearer(request.headers.get("Authorization"))
        g.session = people.find_session(current_settings().realm, token)
    session: Session = g.session
    return session


def current_user() -> User:
    """Find the user of the session, once a request."""
    if "user" not in g:
        g.user = people.find_user(current_session())
    user: User = g.user
    return user


def active_user_required(view: "Callable[[], Answer]") -> "Callable[[], Answer]":
    """Refuse a user who is not active, before the view runs."""

    @wraps(view)
    def checked() -> Answer:
        people.require_active(current_user())
        return view()

    return checked


@bp.get(routes.ME)
@active_user_required
def read_me() -> dict[str, Any]:
    """Go through a chain of dependencies."""
    return current_user().model_dump(mode="json")


@bp.get(routes.SECURE)
def read_secure() -> dict[str, bool]:
    """Compare a bearer token."""
    return people.check_secret(people.bearer(request.headers.get("Authorization")), current_settings().token)


@bp.get(routes.EXTERNAL_DATA)
def read_external_data() -> dict[str, Any]:
    """Call a slow API."""
    return current_source().fresh()


@bp.get(routes.CACHED_DATA)
def read_cached_data() -> tuple[dict[str, Any], dict[str, str]]:
    """Call a slow API, behind a cache."""
    answer, state = current_source().cached()
    return answer, {routes.X_CACHE: state}


@bp.get(routes.CPU)
def read_cpu() -> dict[str, int]:
    """Compute."""
    return answers.primes()


@bp.get(routes.SLOW)
def read_slow() -> dict[str, int]:
    """Wait for as long as the request says."""
    query = SlowQuery.model_validate(arguments())
    current_source().wait(query.ms / 1000)
    return answers.waited(query.ms)


@bp.get(routes.COMPUTE)
def read_compute() -> dict[str, int]:
    """Compute for as long as the request says."""
    return answers.computed(ComputeQuery.model_validate(arguments()).ms)


@bp.get(routes.STREAM)
def read_stream() -> Response:
    """Send events at an interval, and a last one."""
    query, source = StreamQuery.model_validate(arguments()), current_source()

    def events() -> "Iterator[str]":
        yield answers.event(1, query.events)
        for number in range(2, query.events + 1):
            source.wait(query.interval_ms / 1000)
            yield answers.event(number, query.events)

    return Response(events(), content_type=routes.EVENTS, headers=routes.NOT_KEPT)


@bp.post(routes.UPLOAD)
def upload() -> dict[str, Any]:
    """Take a body piece by piece, and say what came."""
    taken = answers.Upload()
    while piece := request.stream.read(PIECE_BYTES):
        taken.add(piece)
    return taken.answer()


@bp.get(routes.HEALTH)
def read_health() -> dict[str, str]:
    """Say that this worker answers."""
    return answers.health()


@bp.get(routes.STATS)
def read_stats() -> dict[str, Any]:
    """Tell what this worker's cache has done."""
    return current_source().counter.stats()


def refused(error: RefusedError) -> "ResponseReturnValue":
    """Answer what the contract refuses."""
    return jsonify(detail=error.detail), error.status, dict(error.headers or {})


def invalid(_error: ValidationError) -> "ResponseReturnValue":
    """Answer what does not validate."""
    return jsonify(detail=routes.INVALID), 422


def failed(error: HTTPException) -> "ResponseReturnValue":
    """Answer as JSON what Flask itself refuses: an unknown route, a wrong method."""
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    return jsonify(detail=error.name), error.code or 500, headers


def create_app(settings: Settings) -> Flask:
    """Make the app; its client and its cache last as long as the process."""
    if settings.middleware == "base":
        raise ImpossibleError("GATEBENCH_MIDDLEWARE=base is FastAPI's, not one of none, pure")
    app = Flask("targets", static_folder=None)
    app.url_map.merge_slashes = False
    app.config.from_mapping(GATEBENCH=settings, PROVIDE_AUTOMATIC_OPTIONS=False)
    client = settings.choose_client("requests", "httpx", "httpx2")
    life = ExitStack()
    app.extensions["gatebench"] = life.enter_context(open_source(client, settings))
    app.extensions["gatebench-life"] = life  # without a reference the client would be closed, for good
    app.register_blueprint(bp)
    app.register_error_handler(RefusedError, refused)
    app.register_error_handler(ValidationError, invalid)
    app.register_error_handler(HTTPException, failed)
    if settings.middleware == "pure":
        flask_stack.install(app, settings)
    if settings.served is not None:
        app.wsgi_app = CountedWsgi(app.wsgi_app, Served(settings.served))  # type: ignore[method-assign]  # as Flask says
    return app


app = start(create_app)
