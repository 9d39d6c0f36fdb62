"""Which apps, and which sides, the first suite of an app has."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.subject import first
from harness.subject import sides as sides_
from harness.subject.discover import App, Candidate
from harness.subject.first import Found, apps, named
from harness.subject.present import Present
from harness.subject.sides import sides
from harness.suite import Definitions, Expect, Interface, Server, Target, load_definitions

SHIPPED = load_definitions()


def found(app: str, interface: Interface, *routes: str, framework: str = "") -> Found:
    """An app, as the probe tells of it."""
    what = App(interface=interface, framework=framework, handler="async", routes=routes)
    return Found(folder=Path("/srv/shop"), app=app, what=what)


def _with(monkeypatch: pytest.MonkeyPatch, *apps: Found) -> None:
    """As if a folder held these apps."""
    known = {each.app: each.what for each in apps}
    monkeypatch.setattr(first, "candidates", lambda *_: tuple(Candidate(folder=".", app=each) for each in known))
    monkeypatch.setattr(first, "look", lambda _folder, _python, app, *_, **__: known[app])


def _targets(*apps: Found) -> list[Target]:
    return named(apps, "python", ())


def _servers(monkeypatch: pytest.MonkeyPatch, **names: tuple[str, ...]) -> None:
    """As if the app's interpreter had these servers, by interface."""

    def installed(shipped: Definitions, target: Target) -> list[Server]:
        return [shipped.servers[name] for name in names.get(target.interface, ())]

    monkeypatch.setattr(sides_, "installed_servers", installed)


def test_a_django_project_of_which_no_path_is_known_yet_is_compared_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its wsgi.py and its asgi.py serve one urlconf, whatever stands in it: a new project has its admin alone."""
    both = [found(f"shop.{kind}:application", kind, framework="django") for kind in ("wsgi", "asgi")]
    _with(monkeypatch, *both)
    assert [each.app for each in apps(Path("/srv/shop"), "python")] == [
        "shop.wsgi:application",
        "shop.asgi:application",
    ]


def test_two_apps_that_share_nothing_are_no_twins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two apps in one folder the second may do something else."""
    _with(monkeypatch, found("shop:app", "wsgi", "/shop", framework="flask"), found("admin:app", "asgi", "/users"))
    assert [each.app for each in apps(Path("/srv/shop"), "python")] == ["shop:app"]


def test_two_apps_that_are_stated_are_the_two_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """In that order, whatever their interfaces and routes."""
    _with(monkeypatch, found("geo.flask:APP", "wsgi"), found("geo.starlette:APP", "asgi"))
    stated = apps(Path("/srv/shop"), "python", "geo.starlette:APP", "geo.flask:APP")
    assert [each.app for each in stated] == ["geo.starlette:APP", "geo.flask:APP"]
    _servers(monkeypatch, wsgi=("gunicorn-gthread",), asgi=("uvicorn",))
    chosen = sides(SHIPPED, _targets(*stated), stated=True)
    assert [(side.target, side.server) for side in chosen.sides] == [
        ("shop-asgi", "uvicorn"),
        ("shop-wsgi", "gunicorn-gthread"),
    ]


def test_two_of_one_interface_have_names_of_their_own() -> None:
    """By their sides."""
    assert [each.name for each in _targets(found("a:app", "wsgi"), found("b:app", "wsgi"))] == ["shop-a", "shop-b"]


def test_a_twin_that_no_server_can_serve_is_told_with_the_line_that_installs_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other is compared on two servers meanwhile; where both are stated, it is an error."""
    targets = _targets(found("shop.wsgi:app", "wsgi"), found("shop.asgi:app", "asgi"))
    _servers(monkeypatch, wsgi=("gunicorn-gthread", "gunicorn-sync"))
    chosen = sides(SHIPPED, targets)
    assert [target.name for target in chosen.targets] == ["shop-wsgi"]
    assert chosen.remarks == (
        "shop.asgi:app is left out, for python has no server for asgi: python -m pip install uvicorn uvloop httptools",
    )
    with pytest.raises(UsageError, match=r"shop\.asgi:app: python has no server for asgi: python -m pip install uvi"):
        sides(SHIPPED, targets, stated=True)


def test_the_asgi_twin_is_measured_where_no_server_serves_the_wsgi_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """As what it is itself: its framework, its routes, its handler."""
    wsgi = found("shop.flask:app", "wsgi", "/products", framework="flask")
    asgi = found("shop.fast:app", "asgi", "/products", "/new", framework="fastapi")
    _with(monkeypatch, wsgi, asgi)
    _servers(monkeypatch, asgi=("uvicorn", "hypercorn"))
    monkeypatch.setattr(first, "present", lambda *_: Present(Expect()))
    chosen = first.first(Path("/srv/shop"), "python", SHIPPED, path="/products")
    assert [(target.app, target.interface) for target in chosen.targets] == [("shop.fast:app", "asgi")]
    assert (chosen.frameworks, chosen.routes) == (("fastapi",), ("/products", "/new"))
    assert chosen.remarks[0].startswith("shop.flask:app is left out")


def test_the_only_server_is_compared_with_itself_and_the_line_that_installs_another_is_no_part_of_the_suite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reports print what a suite is about; the path of an interpreter is none of their readers' business."""
    _servers(monkeypatch, asgi=("uvicorn-h11",))
    chosen = sides(SHIPPED, _targets(found("shop:app", "asgi")))
    assert chosen.note == "The app against itself on uvicorn-h11, the only server that its interpreter has."
    assert chosen.remarks == ("to compare it with uvicorn: python -m pip install uvicorn uvloop httptools",)
