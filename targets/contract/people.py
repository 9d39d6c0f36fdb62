"""Bearer tokens: the shared secret of `/secure`, the login, and the chain session, user, active user of `/me`."""

from hmac import compare_digest

from targets.contract import routes
from targets.contract.models import LoginIn, Session, Token, User
from targets.contract.refusals import ForbiddenError, UnauthenticatedError

_SESSIONS = {"session-ada": 1, "session-grace": 2}
_LOGINS = {("ada", "lovelace"): "session-ada", ("grace", "hopper"): "session-grace"}
_USERS = {1: ("Ada", True), 2: ("Grace", False)}


def bearer(header: str | None) -> str:
    """Read the token of an Authorization header just as FastAPI's `HTTPBearer` does; raises `UnauthenticatedError`."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError
    return token


def check_secret(token: str, secret: str) -> dict[str, bool]:
    """Answer `GET /secure`, comparing in constant time; raises `ForbiddenError`."""
    if not compare_digest(token.encode(), secret.encode()):
        raise ForbiddenError(routes.WRONG_TOKEN)
    return {"authenticated": True}


def log_in(login: LoginIn) -> Token:
    """Answer `POST /login`, without the hash that a real password has; raises `ForbiddenError`."""
    token = _LOGINS.get((login.user, login.password))
    if token is None:
        raise ForbiddenError(routes.WRONG_PASSWORD)
    return Token(access_token=token)


def find_session(realm: str, token: str) -> Session:
    """The session of that token; raises `ForbiddenError` when it has none."""
    user_id = _SESSIONS.get(token)
    if user_id is None:
        raise ForbiddenError(routes.WRONG_TOKEN)
    return Session(realm=realm, user_id=user_id)


def find_user(session: Session) -> User:
    """The user behind a session."""
    name, active = _USERS[session.user_id]
    return User(id=session.user_id, name=name, realm=session.realm, active=active)


def require_active(user: User) -> User:
    """Raise `ForbiddenError` for a user who is not active."""
    if not user.active:
        raise ForbiddenError(routes.INACTIVE)
    return user
