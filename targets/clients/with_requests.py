"""requests: a Session whose adapter is as large as the worker has threads to draw on it."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from targets.settings import ClientName, Settings


class Requests:
    """A level of the factor client; its pool keeps idle connections without end."""

    failures = (requests.RequestException, ValueError)

    def __init__(self, settings: Settings) -> None:
        self._connections = settings.connections
        self._timeout_s = settings.upstream_timeout_s

    def open(self) -> requests.Session:
        """Make a Session; shared by threads, as Flask users do."""
        session = requests.Session()
        session.trust_env = False
        session.mount("http://", HTTPAdapter(pool_maxsize=self._connections))
        return session

    def fetch(self, session: requests.Session, url: str) -> dict[str, Any]:
        """GET `url` and parse its JSON."""
        response = session.get(url, timeout=self._timeout_s)
        response.raise_for_status()
        document: dict[str, Any] = response.json()
        return document


def library(_name: ClientName, settings: Settings) -> Requests:
    """Make the blocking library."""
    return Requests(settings)
