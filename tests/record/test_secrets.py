"""What run.json holds in place of a secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.record.rows import RunInfo
from harness.record.secrets import new_salt, sealed, unsealed
from harness.suite import Group, Options, build, load_suite
from harness.tune.candidates import Candidate
from harness.tune.explain import command
from harness.tune.subject import of_suite
from tests import factories

SUITE = """
[[target]]
name = "shop"
interface = "wsgi"
app = "shop:app"
packages = []
handler = "sync"
env = { DATABASE_URL = "postgresql://shop:pw@db/shop", SHOP_API_KEY = "1234", NAME = "corner" }

[[server]]
name = "own"
interface = "wsgi"
argv = ["{python}", "--port", "{port}", "--auth-token", "abc", "{app}"]
packages = []
slots = "one"
env = { OWN_PASSWORD = "pw" }

[[scenario]]
name = "basket"
about = "A basket."
request = { path = "/basket?token=abc", headers = { Cookie = "session=1" }, body = '{"password": "pw"}' }
expect = { headers = { Set-Cookie = "session=1" } }

[[pair]]
scenario = "basket"
a = { target = "shop", server = "own" }
b = { target = "shop", server = "own" }
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """The file of a suite with secrets wherever one may stand."""
    (tmp_path / "shop.toml").write_text(SUITE)
    return tmp_path / "shop.toml"


def planned(suite: Path) -> RunInfo:
    """The head of a run of `suite`, with its secrets."""
    return replace(factories.run().info, plan=build(*load_suite(str(suite)), Options(seed=1)), salt=new_salt())


def test_a_plan_in_the_records_has_masks_and_gets_its_secrets_back(suite: Path) -> None:
    """From the suite file; everything else stays as it is."""
    info = planned(suite)
    kept = sealed(info)
    arm = kept.plan.groups[0].arms[0]
    assert arm.target.env == {"DATABASE_URL": "postgresql://shop:***@db/shop", "SHOP_API_KEY": "***", "NAME": "corner"}
    assert arm.server.argv == ("{python}", "--port", "{port}", "--auth-token", "***", "{app}")
    assert arm.server.env == {"OWN_PASSWORD": "***"}
    (asked,) = arm.scenario.requests
    assert asked.path == "/basket?token=***"
    assert asked.headers == {"Cookie": "***"}
    assert asked.body == '{"password": "***"}'
    assert asked.expect.headers == {"Set-Cookie": "***"}
    assert unsealed(suite.parent, kept).plan == info.plan
    assert sealed(info).secrets == kept.secrets, "one salt a run"
    assert not set(sealed(planned(suite)).secrets.values()) & set(kept.secrets.values()), "another salt for another run"


def test_the_password_of_redis_comes_from_the_environment(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the plan needs a Redis; a changed one is refused."""
    monkeypatch.setenv("GATEBENCH_REDIS_URL", "redis://:pw@127.0.0.1:1/0")
    assert "GATEBENCH_REDIS_URL" not in sealed(planned(suite)).secrets
    info = replace(factories.run().info, plan=build(*load_suite("quick"), Options(seed=1, wanted="cache=redis")))
    kept = sealed(info)
    assert set(kept.secrets) == {"GATEBENCH_REDIS_URL"}
    assert unsealed(suite.parent, kept).plan == info.plan
    monkeypatch.delenv("GATEBENCH_REDIS_URL")
    with pytest.raises(UsageError, match="GATEBENCH_REDIS_URL: not the secret that the run was begun with"):
        unsealed(suite.parent, kept)


def test_a_suite_file_that_is_gone_or_wrong_is_named_with_the_remedy(suite: Path) -> None:
    """It is the only place that has the secrets."""
    kept = sealed(planned(suite))
    suite.write_text("blocks = 'many'")
    with pytest.raises(UsageError, match=r"the suite file that has them cannot be read: .*blocks"):
        unsealed(suite.parent, kept)
    suite.unlink()
    with pytest.raises(UsageError, match=rf"no such file\. Put {suite} back, or begin a new run"):
        unsealed(suite.parent, kept)


def test_a_run_without_secrets_needs_no_suite_file(suite: Path) -> None:
    """It goes on although the file is gone, as ever."""
    suite.write_text("[[pair]]\nscenario = 'json'\n")
    kept = sealed(planned(suite))
    suite.unlink()
    assert kept.secrets == {}
    assert unsealed(suite.parent, kept) == kept


def test_the_command_line_is_masked_too() -> None:
    """As it stands in run.json."""
    command = ("gatebench", "run", "--out", "redis://:pw@host/0")
    assert sealed(replace(factories.run().info, command=command)).command[-1] == "redis://:***@host/0"


def test_a_tuning_goes_on_with_its_secrets(suite: Path) -> None:
    """Its plan gets its groups as it goes on; the command to deploy is recorded, and so has masks."""
    subject = of_suite(str(suite), seed=1)
    begun = replace(factories.run().info, kind="tune", plan=subject.plan, salt=new_salt())
    assert sealed(begun).secrets == {}
    group = Group(id="g1", scenario="basket", arms=(subject.arm,), pairs=())
    gone_on = replace(begun, plan=replace(begun.plan, groups=(group,)))
    kept = sealed(gone_on)
    assert "server own: argv[4]" in kept.secrets
    assert unsealed(suite.parent, kept).plan == gone_on.plan
    assert command(subject.arm, Candidate(2, 1))[3:5] == ("--auth-token", "***")
