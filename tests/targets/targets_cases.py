"""The contract as a table: what is sent, and what every twin answers, in process and under every server."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from targets.contract import answers, cors, routes
from targets.upstream import DOCUMENT

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=frontier"}
TOKEN = {"Authorization": "Bearer open-sesame"}
ADA = {"Authorization": "Bearer session-ada"}
GRACE = {"Authorization": "Bearer session-grace"}
ORIGIN = {"Origin": cors.ORIGINS[0]}
PREFLIGHT = ORIGIN | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
ALLOWED = {"Access-Control-Allow-Origin": cors.ORIGINS[0]}
UPSTREAM = {"source": "upstream", "data": DOCUMENT}
CHALLENGE = {"WWW-Authenticate": "Bearer"}
LAMP = {"name": "Lamp", "price": 12.5, "quantity": 4, "tags": ["home", "light"]}
ADA_FORM = "name=Ada&email=ada%40example.com&age=36&newsletter=true"
ADA_FIELDS = {"name": "Ada", "email": "ada@example.com", "age": 36, "newsletter": True}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request and its answer: JSON, or text of the type `kind` where `text` is set."""

    name: str
    method: str = "GET"
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    status: int = 200
    answer: Any = None
    text: str | None = None
    kind: str = "text/plain; charset=utf-8"
    answer_headers: dict[str, str] = field(default_factory=dict)
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = (routes.X_CACHE,)


class Response(Protocol):
    """An answer, as the clients of httpx, httpx2 and Starlette give it."""

    status_code: int
    headers: Any
    content: bytes


class Client(Protocol):
    """A client of httpx, httpx2 or Starlette."""

    def request(self, method: str, url: str, *, headers: dict[str, str], content: bytes) -> Any:
        """Send a request."""


def _get(name: str, path: str, answer: Any = None, **more: Any) -> Case:
    return Case(name=name, path=path, answer=answer, **more)


def _invalid(name: str, path: str, **more: Any) -> Case:
    return Case(name=name, path=path, status=422, answer={"detail": "Invalid request"}, **more)


def _post(name: str, document: Any, status: int = 201, answer: Any = None, **more: Any) -> Case:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    answer = {"detail": "Invalid request"} if status == 422 else answer
    more = {"headers": JSON, "path": "/items", "method": "POST"} | more
    return Case(name=name, body=body, status=status, answer=answer, **more)


def _form(name: str, body: str, status: int = 200, answer: Any = None, headers: dict[str, str] = FORM) -> Case:
    return _post(name, body.encode(), status, answer, headers=headers, path="/form")


def _multipart(**fields: str) -> str:
    parts = [
        f'--frontier\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join(parts) + "--frontier--\r\n"


def _refused(name: str, path: str, status: int, detail: str, **more: Any) -> Case:
    return Case(name=name, path=path, status=status, answer={"detail": detail}, **more)


READS = (
    _get("health", "/health", {"status": "ok"}),
    _get("health with a token", "/health", {"status": "ok"}, headers={"Authorization": "Bearer nonsense"}),
    _get("json", "/json", {"message": "Hello, World!"}),
    _get("json with a query", "/json?a=b", {"message": "Hello, World!"}),
    _get("payload", "/payload", answers.catalogue()),
    _get("cpu", "/cpu", {"below": 1900, "primes": 290}),
    _get("item", "/items/42?q=lamp&limit=5", {"item_id": 42, "q": "lamp", "limit": 5}),
    _get("item by default", "/items/42", {"item_id": 42, "q": None, "limit": 10}),
    _get("item in Unicode", "/items/42?q=%C3%A9t%C3%A9+%F0%9F%98%80", {"item_id": 42, "q": "été 😀", "limit": 10}),
    _get("item with a limit twice", "/items/42?limit=3&limit=7", {"item_id": 42, "q": None, "limit": 7}),
    _get("item with an empty q", "/items/42?q=", {"item_id": 42, "q": "", "limit": 10}),
    _get("item with a stray parameter", "/items/42?item_id=7&x=1", {"item_id": 42, "q": None, "limit": 10}),
    _invalid("item that is no number", "/items/lamp"),
    _invalid("item zero", "/items/0"),
    _invalid("item with limit 0", "/items/42?limit=0"),
    _invalid("item with limit 101", "/items/42?limit=101"),
    _invalid("item with a limit that is no number", "/items/42?limit=many"),
    _invalid("item with an empty limit", "/items/42?limit="),
    _invalid("item with too long a q", f"/items/42?q={'x' * 51}"),
)

LAMP_CREATED = LAMP | {"id": 1, "total": 50.0}
WRITES = (
    _post("create", LAMP, 201, LAMP_CREATED),
    _post(
        "create by default",
        {"name": "Lampe à pétrole", "price": 3},
        201,
        {"id": 1, "name": "Lampe à pétrole", "price": 3.0, "quantity": 1, "tags": [], "total": 3.0},
    ),
    _post("create from strings", LAMP | {"price": "12.5", "quantity": "4"}, 201, LAMP_CREATED),
    _post(
        "create with a charset", LAMP, 201, LAMP_CREATED, headers={"Content-Type": "application/json; charset=utf-8"}
    ),
    _post("create with a JSON dialect", LAMP, 201, LAMP_CREATED, headers={"Content-Type": "application/hal+json"}),
    _post("create from bad JSON", b'{"name": "Lamp",', 422),
    _post("create from nothing", b"", 422),
    _post("create from null", b"null", 422),
    _post("create from an array", [LAMP], 422),
    _post("create from bytes that are no text", b'{"name": "\xff"}', 422),
    _post("create from a form", b"name=Lamp&price=3", 422, headers=FORM),
    _post("create from plain text", LAMP, 422, headers={"Content-Type": "text/plain"}),
    _post("create without a price", {"name": "Lamp"}, 422),
    _post("create with a wrong type", LAMP | {"price": "cheap"}, 422),
    _post("create with tags that are none", LAMP | {"tags": "home"}, 422),
    _post("create at no price", LAMP | {"price": 0}, 422),
    _post("create at an endless price", b'{"name": "Lamp", "price": 1e999}', 422),
    _post("create without a name", LAMP | {"name": ""}, 422),
)

FORMS = (
    _form("form", ADA_FORM, 200, ADA_FIELDS),
    _form("form by default", "name=Ada&email=ada%40example.com&age=36", 200, ADA_FIELDS | {"newsletter": False}),
    _form(
        "form with an empty box",
        "name=Ada&email=a%40b&age=36&newsletter=",
        200,
        ADA_FIELDS | {"email": "a@b", "newsletter": False},
    ),
    _form(
        "form in Unicode",
        "name=%C3%89t%C3%A9&email=a%40b&age=36",
        200,
        ADA_FIELDS | {"name": "Été", "email": "a@b", "newsletter": False},
    ),
    _form("form with a name twice", f"name=Grace&{ADA_FORM}", 200, ADA_FIELDS),
    _form(
        "form in parts",
        _multipart(name="Ada", email="ada@example.com", age="36", newsletter="on"),
        200,
        ADA_FIELDS,
        MULTIPART,
    ),
    _form("form without an age", "name=Ada&email=ada%40example.com", 422),
    _form("form with an empty name", "name=&email=ada%40example.com&age=36", 422),
    _form("form of a child", "name=Ada&email=ada%40example.com&age=7", 422),
    _form("form with an age in words", "name=Ada&email=ada%40example.com&age=old", 422),
    _form("form without an address", "name=Ada&email=ada&age=36", 422),
    _form("form of nothing", "", 422),
    _form("form in JSON", json.dumps(ADA_FIELDS), 422, None, JSON),
    _form("form in broken parts", "--frontier\r\nnonsense", 422, None, MULTIPART),
)

PEOPLE = (
    _get("me", "/me", {"id": 1, "name": "Ada", "realm": "gatebench", "active": True}, headers=ADA),
    _post(
        "login",
        {"user": "ada", "password": "lovelace"},
        200,
        {"access_token": "session-ada", "token_type": "bearer"},
        path="/login",
    ),
    _refused(
        "login with a wrong password",
        "/login",
        403,
        "Wrong name or password",
        method="POST",
        headers=JSON,
        body=b'{"user": "ada", "password": "byron"}',
    ),
    _post("login without a password", {"user": "ada"}, 422, path="/login"),
    _refused("me as a stranger", "/me", 401, "Not authenticated", answer_headers=CHALLENGE),
    _refused("me with an unknown session", "/me", 403, "Invalid token", headers={"Authorization": "Bearer nobody"}),
    _refused("me shut out", "/me", 403, "Inactive user", headers=GRACE),
    _get("secure", "/secure", {"authenticated": True}, headers=TOKEN),
    _get(
        "secure in small letters", "/secure", {"authenticated": True}, headers={"authorization": "bearer open-sesame"}
    ),
    _get("secure with spaces", "/secure", {"authenticated": True}, headers={"Authorization": "Bearer   open-sesame"}),
    _refused("secure as a stranger", "/secure", 401, "Not authenticated", answer_headers=CHALLENGE),
    _refused(
        "secure by a password",
        "/secure",
        401,
        "Not authenticated",
        headers={"Authorization": "Basic YTpi"},
        answer_headers=CHALLENGE,
    ),
    _refused(
        "secure with half a header",
        "/secure",
        401,
        "Not authenticated",
        headers={"Authorization": "Bearer"},
        answer_headers=CHALLENGE,
    ),
    _refused(
        "secure with a wrong token", "/secure", 403, "Invalid token", headers={"Authorization": "Bearer open-barley"}
    ),
    _refused(
        "secure with a strange token", "/secure", 403, "Invalid token", headers={"Authorization": "Bearer a=b, c"}
    ),
)

LOST = (
    _refused("unknown route", "/nowhere", 404, "Not Found"),
    _refused("the root", "/", 404, "Not Found"),
    _refused("the docs", "/docs", 404, "Not Found"),
    _refused("a slash too many", "/json/", 404, "Not Found"),
    _refused("a slash twice", "/items//42", 404, "Not Found"),
    _refused("an item's child", "/items/42/tags", 404, "Not Found"),
    _refused("post to json", "/json", 405, "Method Not Allowed", method="POST", present=("Allow",)),
    _refused("get items", "/items", 405, "Method Not Allowed", present=("Allow",)),
    _refused("delete an item", "/items/42", 405, "Method Not Allowed", method="DELETE", present=("Allow",)),
    _refused("get the form", "/form", 405, "Method Not Allowed", present=("Allow",)),
    _refused("options", "/json", 405, "Method Not Allowed", method="OPTIONS", present=("Allow",)),
)

STREAMED = "".join(
    [f'data: {{"event": {number}, "of": 3}}\n\n' for number in (1, 2)] + ['event: end\ndata: {"event": 3, "of": 3}\n\n']
)
BLOB = bytes(range(256)) * 1024


def _upload(name: str, body: bytes, **more: Any) -> Case:
    answer = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    more = {"headers": {"Content-Type": "application/octet-stream"}} | more
    return _post(name, body, 200, answer, path="/upload", **more)


def _stream(name: str, path: str, text: str) -> Case:
    no_store = {"Cache-Control": "no-store"}
    return Case(name=name, path=path, text=text, kind="text/event-stream; charset=utf-8", answer_headers=no_store)


WAITS = (
    _get("slow", "/slow?ms=5", {"waited_ms": 5}),
    _get("slow by default", "/slow", {"waited_ms": 20}),
    _get("slow without a wait", "/slow?ms=0", {"waited_ms": 0}),
    _invalid("slow before its time", "/slow?ms=-1"),
    _invalid("slow for more than a minute", "/slow?ms=60001"),
    _invalid("slow for a while", "/slow?ms=while"),
    _get("compute", "/compute?ms=5", {"computed_ms": 5}),
    _get("compute by default", "/compute", {"computed_ms": 20}),
    _get("compute nothing", "/compute?ms=0", {"computed_ms": 0}),
    _invalid("compute before its time", "/compute?ms=-1"),
    _invalid("compute for more than a minute", "/compute?ms=60001"),
    _stream("stream", "/stream?interval_ms=2&events=3", STREAMED),
    _stream("stream of one", "/stream?events=1", 'event: end\ndata: {"event": 1, "of": 1}\n\n'),
    _invalid("stream of nothing", "/stream?events=0"),
    _invalid("stream without an end", "/stream?events=10001"),
    _invalid("stream at no interval", "/stream?interval_ms=-1"),
    _upload("upload", BLOB),
    _upload("upload of nothing", b""),
    _upload("upload of a form", b"a=b", headers=FORM),
    _refused("get the upload", "/upload", 405, "Method Not Allowed", present=("Allow",)),
)

PLAIN = READS + WRITES + FORMS + WAITS + PEOPLE + LOST
"""Whatever the factors."""


def cached(state: str) -> Case:
    """Ask for the cached document, which the cache is to give in `state`."""
    return _get(f"cached data: {state}", "/cached-data", UPSTREAM, answer_headers={"X-Cache": state}, absent=())


EXTERNAL = _get("external data", "/external-data", UPSTREAM)
EXTERNAL_DOWN = _refused("external data from an upstream that is down", "/external-data", 502, "Upstream unavailable")
CACHED_DOWN = _refused("cached data from an upstream that is down", "/cached-data", 502, "Upstream unavailable")

TIMED = ("X-Process-Time",)
SAFE = "Accept, Accept-Language, Authorization, Content-Language, Content-Type"
RULES = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": SAFE,
    "Access-Control-Max-Age": "600",
}


def _preflight(name: str, problem: str = "", path: str = "/items", **headers: str) -> Case:
    request_headers = PREFLIGHT | {name.replace("_", "-"): value for name, value in headers.items()}
    foreign = "origin" in problem
    return Case(
        name=name,
        method="OPTIONS",
        path=path,
        headers=request_headers,
        status=400 if problem else 200,
        text=f"Disallowed CORS {problem}" if problem else "OK",
        answer_headers=RULES if foreign else RULES | ALLOWED,
        present=TIMED,
        absent=("Access-Control-Allow-Origin",) if foreign else (),
    )


STACK = (
    _get("timed", "/json", {"message": "Hello, World!"}, present=TIMED, absent=("Access-Control-Allow-Origin",)),
    _refused("timed though unknown", "/nowhere", 404, "Not Found", present=TIMED),
    _invalid("timed though invalid", "/items/0", present=TIMED),
    _refused("timed though a stranger", "/secure", 401, "Not authenticated", present=TIMED, answer_headers=CHALLENGE),
    _get("trusted host", "/json", {"message": "Hello, World!"}, headers={"Host": "localhost:4711"}, present=TIMED),
    Case(
        name="foreign host",
        path="/json",
        headers={"Host": "evil.example"},
        status=400,
        text="Invalid host header",
        present=TIMED,
    ),
    Case(
        name="foreign host, unknown route",
        path="/x",
        headers={"Host": "evil.example:80"},
        status=400,
        text="Invalid host header",
    ),
    _get(
        "allowed origin",
        "/json",
        {"message": "Hello, World!"},
        headers=ORIGIN,
        answer_headers=ALLOWED | {"Vary": "Origin"},
    ),
    _refused("allowed origin, refused", "/secure", 401, "Not authenticated", headers=ORIGIN, answer_headers=ALLOWED),
    _get(
        "foreign origin",
        "/json",
        {"message": "Hello, World!"},
        headers={"Origin": "https://evil.example"},
        absent=("Access-Control-Allow-Origin",),
    ),
    _preflight("preflight"),
    _preflight("preflight of an unknown route", path="/nowhere"),
    _preflight("preflight from a foreign origin", "origin", Origin="https://evil.example"),
    _preflight("preflight of a forbidden method", "method", Access_Control_Request_Method="DELETE"),
    _preflight("preflight of a forbidden header", "headers", Access_Control_Request_Headers="X-Evil"),
    _preflight(
        "preflight of all that",
        "origin, method, headers",
        Origin="null",
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="X-Evil, Accept",
    ),
    _refused(
        "options, no preflight", "/json", 405, "Method Not Allowed", method="OPTIONS", headers=ORIGIN, present=TIMED
    ),
)
"""Under the middleware stack, whatever its make."""


def problems(client: Client, cases: tuple[Case, ...], base: str = "http://localhost") -> list[str]:
    """Send each case in turn, and say where the answers are not the contract's."""
    return [
        f"{case.name}: {problem}"
        for case in cases
        for problem in _judge(
            case, client.request(case.method, base + case.path, headers=case.headers, content=case.body)
        )
    ]


def _judge(case: Case, response: Response) -> list[str]:
    wrong = []
    if response.status_code != case.status:
        wrong.append(f"status {response.status_code}, not {case.status}")
    kind = "application/json" if case.text is None else case.kind
    if response.headers.get("content-type") != kind:
        wrong.append(f"content type {response.headers.get('content-type')}, not {kind}")
    if case.text is None and _parsed(response.content) != case.answer:
        wrong.append(f"answer {response.content[:200]!r}, not {str(case.answer)[:200]}")
    if case.text is not None and response.content.decode() != case.text:
        wrong.append(f"answer {response.content[:200]!r}, not {case.text!r}")
    wrong += [
        f"{name}: {response.headers.get(name)!r}, not {value!r}"
        for name, value in case.answer_headers.items()
        if response.headers.get(name) != value
    ]
    wrong += [f"{name} is missing" for name in case.present if name not in response.headers]
    wrong += [f"{name} should not be there" for name in case.absent if name in response.headers]
    return wrong


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return f"no JSON: {content[:200]!r}"
