"""A target that runs already."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DefinitionError, UsageError
from harness.suite import Options, build, load_suite
from harness.suite.address import Address, address_of
from harness.suite.pod import Pod
from harness.tune.subject import of_suite

SUITE = """
[[target]]
name = "live"
interface = "wsgi"
{keys}
packages = []
handler = "sync"

[[pair]]
scenario = "{scenario}"
a = {{ target = "live", server = "gunicorn-gthread" }}
b = {{ target = "live", server = "gunicorn-gthread"{levels} }}
"""
URL = 'url = "http://127.0.0.1:8000"'


def suite_of(folder: Path, keys: str = URL, scenario: str = "json", levels: str = "") -> str:
    """A suite file of it."""
    path = folder / "live.toml"
    path.write_text(SUITE.format(keys=keys, scenario=scenario, levels=levels))
    return str(path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", Address("127.0.0.1", 8000)),
        ("http://localhost/", Address("localhost", 80)),
        ("https://shop.test", Address("tls:shop.test", 443)),
        ("https://[::1]:8443/", Address("tls:::1", 8443)),
        ("http://[::1]:8000", Address("::1", 8000)),
        ("http+unix:/run/shop.sock", Address("unix:/run/shop.sock", 0)),
        ("http+unix:///run/shop.sock", Address("unix:/run/shop.sock", 0)),
        ("http+unix://%2Frun%2Fshop.sock", Address("unix:/run/shop.sock", 0)),
    ],
)
def test_an_address_is_read_from_its_url(url: str, expected: Address) -> None:
    """In each of the forms in which people write them."""
    assert address_of(url) == expected


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://127.0.0.1", "write http://HOST:PORT, https://HOST:PORT"),
        ("http://ada:secret@127.0.0.1", "holds a name or a password"),
        ("http://127.0.0.1/api", "holds a path"),
        ("http://127.0.0.1?x=1", "holds a query"),
        ("127.0.0.1:8000", r"write http://HOST:PORT"),
        ("http://127.0.0.1:99999", "Port out of range"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("http+unix:run/shop.sock", "by its whole path"),
        ("http+unix:/" + "x" * 120, "at most 107 bytes"),
    ],
)
def test_what_is_no_such_address_is_refused_with_the_remedy(tmp_path: Path, url: str, problem: str) -> None:
    """By its key, before anything is asked."""
    with pytest.raises(DefinitionError, match=rf"target\[0\]\.url: .*{problem}"):
        load_suite(suite_of(tmp_path, f'url = "{url}"'))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("", r"target\[0\]\.app: missing.*or url, where it runs already"),
        ('app = "shop:app"\npid = 1', r"target\[0\]\.pid: goes with url"),
        (f'{URL}\napp = "shop:app"', r"target\[0\]\.app: goes with no url"),
        (f'{URL}\nsetup = [["true"]]', r"target\[0\]\.setup: goes with no url"),
        (f"{URL}\npid = 0", r"target\[0\]\.pid: .*greater than or equal to 1"),
    ],
)
def test_keys_of_a_launch_do_not_go_with_a_url(tmp_path: Path, keys: str, problem: str) -> None:
    """Nor is there a target without either."""
    with pytest.raises(DefinitionError, match=problem):
        load_suite(suite_of(tmp_path, keys))


def test_it_can_be_told_nothing(tmp_path: Path) -> None:
    """No level, and not where the slow API is; how many threads it has may be said."""
    with pytest.raises(DefinitionError, match=r"b\.preload: live runs already and can be told no level"):
        load_suite(suite_of(tmp_path, levels=', preload = "preload"'))
    with pytest.raises(DefinitionError, match=r"a\.target: live runs already and is not told of the slow API"):
        load_suite(suite_of(tmp_path, scenario="external-data"))
    plan = build(*load_suite(suite_of(tmp_path, levels=", threads = 4")), Options(seed=1))
    assert [arm.cell.threads for arm in plan.groups[0].arms] == [8, 4]


def test_no_pod_is_put_around_it(tmp_path: Path) -> None:
    """Neither by the command line nor by its side: its figures would be called those of a limit that it has not."""
    definitions, suite = load_suite(suite_of(tmp_path))
    with pytest.raises(UsageError, match=r"live runs already at .*: no pod can be put around it"):
        build(definitions, suite, Options(seed=1, pod=Pod(cpus=0.5)))


def test_it_is_not_tuned(tmp_path: Path) -> None:
    """Its workers are as many as they are."""
    with pytest.raises(UsageError, match=r"live runs already at http://.*: what is tuned must be launched"):
        of_suite(suite_of(tmp_path), 1)
