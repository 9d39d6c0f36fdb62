"""Passwords and tokens of a suite stay out of everything that a run writes and prints, and the run still resumes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import record
from harness.machine.environment import find_redis
from harness.subject.answers import wait_until
from harness.subject.services import HOST, free_port, listening
from tests.cli.test_cli import command, gatebench
from tests.polling import until

TOKEN, KEY, PASSWORD = "tok-live-88231", "key-live-77120", "redis-live-5521"
APP = """
import os

import redis

cache = redis.Redis.from_url(os.environ["GATEBENCH_REDIS_URL"])
print("started with", dict(os.environ), flush=True)


def app(environ, start_response):
    cache.incr("asked")
    given = environ.get("HTTP_AUTHORIZATION", "")
    if "SHOP_TALKS" in os.environ or given != "Bearer " + os.environ["SHOP_TOKEN_WANTED"]:
        body = f"\\x1b[2Jrefused {given} {os.environ['SHOP_API_KEY']} {os.environ['GATEBENCH_REDIS_URL']}".encode()
        start_response("401 Unauthorized", [("Content-Length", str(len(body)))])
        return [body]
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "13")])
    return [b'{"basket": 3}']
"""
SUITE = f"""
blocks = 2
rounds = 1
phases = ["closed"]
slice_s = 0.2

[[target]]
name = "shop"
interface = "wsgi"
app = "shop:app"
packages = []
handler = "sync"
levels = {{ cache = ["redis"] }}
env = {{ SHOP_TOKEN_WANTED = "{TOKEN}", SHOP_API_KEY = "{KEY}", SHOP_NAME = "corner" }}

[[target]]
name = "talker"
about = "It repeats what it was told in confidence."
interface = "wsgi"
app = "shop:app"
packages = []
handler = "sync"
levels = {{ cache = ["redis"] }}
env = {{ SHOP_TOKEN_WANTED = "{TOKEN}", SHOP_API_KEY = "{KEY}", SHOP_TALKS = "yes" }}

[[scenario]]
name = "basket"
about = "A basket."
request = {{ path = "/basket", headers = {{ Authorization = "Bearer {TOKEN}", Accept = "*/*" }} }}
expect = {{ json = {{ basket = 3 }} }}
factors = ["cache"]
connections = 4

[[pair]]
scenario = "basket"
cache = "redis"
a = {{ target = "shop", server = "gunicorn-gthread" }}
b = {{ target = "talker", server = "gunicorn-gthread" }}
"""


@pytest.fixture
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that asks for a password."""
    from harness.machine.process import running

    binary = find_redis()
    if binary is None:
        pytest.skip("no Redis on this machine")
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    argv = [binary, "--bind", HOST, "--port", str(port), "--save", "", "--requirepass", PASSWORD]
    with running(argv, name="redis", log=folder / "log", cwd=folder) as process:
        wait_until(process, "ready", lambda: listening(port))
        yield f"redis://:{PASSWORD}@{HOST}:{port}/0"


@pytest.fixture
def shop(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an app and a suite with secrets, beside a Redis with one."""
    monkeypatch.setenv("GATEBENCH_REDIS_URL", redis_url)
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "shop.toml").write_text(SUITE)
    return tmp_path


def interrupted(
    shop: Path, call: str = "run shop.toml --out run", sign: str = f"run/{record.TRIALS}", lines: int = 1
) -> str:
    """Make that call, press Ctrl-C once a file `sign` has so many lines, and return what it printed."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)}
    with subprocess.Popen(
        command(*call.split()), cwd=shop, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        until(
            lambda: (
                process.poll() is not None or any(path.read_bytes().count(b"\n") >= lines for path in shop.glob(sign))
            ),
            60,
        )
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    return printed


def leaks(shop: Path, *printed: str) -> list[str]:
    """Where one of the secrets stands: a file of the run, or what was printed."""
    runs = (shop / "run", *shop.glob("results/*"))
    texts = {str(path): path.read_bytes() for run in runs for path in run.rglob("*") if path.is_file()}
    texts |= {f"printed {number}": text.encode() for number, text in enumerate(printed)}
    return [
        f"{secret} in {name}"
        for name, text in texts.items()
        for secret in (TOKEN, KEY, PASSWORD)
        if secret.encode() in text
    ]


@pytest.mark.live
@pytest.mark.beside
def test_no_secret_is_in_the_records_nor_printed_and_the_run_resumes(shop: Path) -> None:
    """They are read again from suite file and environment; one that has changed is refused by its key."""
    first = interrupted(shop)
    assert leaks(shop, first) == []
    info = record.read_info(shop / "run")
    assert set(info.secrets) == {
        "GATEBENCH_REDIS_URL",
        "target shop: env.SHOP_TOKEN_WANTED",
        "target shop: env.SHOP_API_KEY",
        "target talker: env.SHOP_TOKEN_WANTED",
        "target talker: env.SHOP_API_KEY",
        "scenario basket: request.headers.Authorization",
    }
    arm = info.plan.groups[0].arms[0]
    assert arm.target.env == {"SHOP_TOKEN_WANTED": "***", "SHOP_API_KEY": "***", "SHOP_NAME": "corner"}
    assert arm.scenario.requests[0].headers == {"Authorization": "***", "Accept": "*/*"}

    (shop / "shop.toml").write_text(SUITE.replace(KEY, "another-key"))
    refused = gatebench("run", "--resume", "run", cwd=shop)
    assert refused.returncode == 2
    both = "target shop: env.SHOP_API_KEY, target talker: env.SHOP_API_KEY"
    assert f"{both}: not the secret that the run was begun with" in refused.stderr
    assert "another-key" not in refused.stderr

    (shop / "shop.toml").write_text(SUITE)
    resumed = gatebench("run", "--resume", "run", cwd=shop)
    assert resumed.returncode in {0, 3}, resumed.stderr  # a busy machine voids figures, and is none of this test's
    assert leaks(shop, first, resumed.stdout, resumed.stderr, refused.stderr) == []
    run = record.read(shop / "run")
    assert run.info.finished is not None
    assert all(trial.requests for trial in run.trials if trial.cell.target == "shop"), "the token was right"
    lost = [trial.error or "" for trial in run.trials if trial.cell.target == "talker"]
    assert len(lost) == 2
    assert all("refused *** *** redis://:***@" in error and "\x1b" not in error for error in lost), lost
    assert b"started with" in (shop / "run" / "logs" / "p1a.log").read_bytes(), "the log itself is kept"


@pytest.mark.live
@pytest.mark.beside
def test_no_secret_of_a_tuning_is_in_its_files_nor_printed_and_it_resumes(shop: Path) -> None:
    """Interrupted after its first trial, refused with another secret, and gone on with until the time is up."""
    (shop / "shop.toml").write_text(SUITE.replace('b = { target = "talker"', 'b = { target = "shop"'))
    first = interrupted(shop, "tune shop.toml --budget 20s", "results/*/steps.jsonl", lines=3)
    assert leaks(shop, first) == []

    (shop / "shop.toml").write_text((shop / "shop.toml").read_text().replace(KEY, "another-key"))
    refused = gatebench("tune", "--resume", "latest", cwd=shop)
    assert refused.returncode == 2
    assert "target shop: env.SHOP_API_KEY: not the secret that the run was begun with" in refused.stderr

    (shop / "shop.toml").write_text((shop / "shop.toml").read_text().replace("another-key", KEY))
    resumed = gatebench("tune", "--resume", "latest", cwd=shop)
    assert resumed.returncode in {0, 3}, resumed.stderr  # a busy machine voids figures, and is none of this test's
    assert leaks(shop, first, refused.stdout, refused.stderr, resumed.stdout, resumed.stderr) == []
    (folder,) = shop.glob("results/*-tune")
    run = record.read(folder)
    assert any(trial.requests for trial in run.trials if trial.sitting == 1), "the token was right"
    assert (folder / "tune.json").is_file()
