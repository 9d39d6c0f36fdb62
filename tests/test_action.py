"""The Action: what its file names is there, and its steps do what they say without measuring."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench.action import FORK, Job, github, repository, steps

ROOT = Path(__file__).resolve().parent.parent
BODY = "### gatebench: shop\n\n- shop serves less\n"


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> tuple[Path, str]:
    """A folder with the repository `shop`, and the commit that its candidates start from."""
    return tmp_path, repository(tmp_path / "shop")


def script(name: str, folder: Path, **told: str) -> subprocess.CompletedProcess[str]:
    """Execute a step's script in the repository."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "RUNNER_TEMP": str(folder)} | told
    command = [sys.executable, str(ROOT / "action" / f"{name}.py")]
    return subprocess.run(command, cwd=folder / "shop", env=env, capture_output=True, text=True, check=False)


def commented(folder: Path, code: str, api: str, number: int = 1, **told: str) -> Job:
    """The steps Comment and Gate after a measurement that ended with `code`."""
    run = folder / "measured" / "run"
    run.mkdir(parents=True, exist_ok=True)
    (run / "summary.md").write_text(BODY)
    (run.parent / "gate.txt").write_text("the gate failed 1 of 1 pair\np1 <b>shop</b>: worse\n")
    (folder / "event.json").write_text(json.dumps({"pull_request": {"number": number}}))
    (folder / "gatebench-venv").unlink(missing_ok=True)
    (folder / "gatebench-venv").symlink_to(sys.prefix)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(folder),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_API_URL": api,
        "GITHUB_REPOSITORY": "me/shop",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
    }
    job = Job(folder, env, {"token": "opens-nothing"} | told)
    job.outputs["measure"] = {"code": code, "folder": str(run.parent)}
    job.execute("Comment", "Gate")
    return job


def test_every_step_names_scripts_and_inputs_that_there_are() -> None:
    """And each output that is used is one that a step sets."""
    text = (ROOT / "action.yml").read_text()
    inputs = set(re.findall(r"^  (\S+):$", text.partition("inputs:")[2].partition("outputs:")[0], re.MULTILINE))
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == inputs
    scripts = set(re.findall(r"action/(\w+\.\w+)", text))
    assert {path.name for path in (ROOT / "action").iterdir() if path.is_file()} == scripts | {"job.py"}
    assert [step.name for step in steps() if step.always] == ["Comment", "Gate"]
    assert "${{" not in "".join(step.run for step in steps()), "an input never becomes a part of a command"


def test_the_base_becomes_a_target_beside_the_app(shop: tuple[Path, str]) -> None:
    """In a copy of the suite; its folder and interpreter are those of the base's checkout."""
    folder, base = shop
    suite = folder / "shop" / "bench" / "shop.toml"
    suite.write_text(suite.read_text().replace('app = "shop:app"', 'app = "shop:app"\npython = "../.venv/bin/python"'))
    output = folder / "output"
    told = {"SUITE": "bench/shop.toml", "BASE": base, "SETUP": "touch made", "GITHUB_OUTPUT": str(output)}
    done = script("baseline", folder, **told)
    assert (done.returncode, done.stderr) == (0, "")
    assert output.read_text() == "suite=bench/shop-against-base.toml\nbaseline=shop-base\n"
    app, twin = tomllib.loads((folder / "shop" / "bench" / "shop-against-base.toml").read_text())["target"]
    there = folder / "gatebench-base"
    own = {"name": "shop-base", "folder": str(there), "python": f"{there}/.venv/bin/python"}
    assert twin == app | own
    assert (there / "made").is_file()
    assert (folder / "shop" / "made").is_file()
    assert (there / "shop.py").read_text() != (folder / "shop" / "shop.py").read_text()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"SUITE": "bench/none.toml"}, "No such file"),
        ({"TARGET": "shoop"}, "target 'shoop': the suite defines shop"),
        ({"BASE": ""}, "base '' is no commit"),
        ({"BASE": "--upload-pack=x"}, "is no commit"),
        ({"SETUP": "false"}, "the setup command failed"),
    ],
)
def test_a_step_that_cannot_be_done_ends_with_2_and_one_message(
    shop: tuple[Path, str], told: dict[str, str], said: str
) -> None:
    """No traceback."""
    folder, base = shop
    done = script("baseline", folder, **{"SUITE": "bench/shop.toml", "BASE": base} | told)
    assert done.returncode == 2
    assert said in done.stdout
    assert done.stderr == ""


def test_one_comment_is_written_when_it_got_slower_and_updated_when_it_recovered(shop: tuple[Path, str]) -> None:
    """And nothing where nothing is to be said."""
    folder, _ = shop
    with github() as (state, api):
        assert commented(folder, "0", api).code == 0
        assert state.writes == []
        assert commented(folder, "1", api).code == 1
        body = state.comments[1][0]["body"]
        assert body.startswith(
            "<!-- gatebench: slower -->\n**This change does not hold: the gate failed 1 of 1 pair.**"
        )
        assert r"\<b\>shop" in body
        assert BODY.strip() in body
        assert commented(folder, "3", api).code == 3
        assert state.writes == ["POST"]
        assert commented(folder, "0", api).code == 0
        assert state.writes == ["POST", "PATCH"]
        assert "Recovered: nothing is worse" in state.comments[1][0]["body"]
        commented(folder, "0", api)
        assert state.writes == ["POST", "PATCH"]


def test_a_comment_of_a_person_is_never_ours(shop: tuple[Path, str]) -> None:
    """Though it begins as ours do."""
    folder, _ = shop
    with github() as (state, api):
        forged = {"id": 1, "user": {"type": "User"}, "body": "<!-- gatebench: slower -->\n"}
        state.comments[1] = [forged]
        commented(folder, "1", api)
        assert state.writes == ["POST"]
        assert state.comments[1][0]["body"] == forged["body"]


def test_where_the_token_may_not_the_job_ends_as_the_gate_says(shop: tuple[Path, str]) -> None:
    """The log says why there is no comment; so it does without a token, and without GitHub."""
    folder, _ = shop
    with github() as (state, api):
        refused = commented(folder, "1", api, FORK)
        assert (refused.code, state.writes) == (1, [])
        assert "this token may not, as that of a fork may not (403)" in refused.log
        assert "there is no token" in commented(folder, "1", api, token="").log
    gone = commented(folder, "1", api)
    assert gone.code == 1
    assert "no comment: " in gone.log
    assert "Traceback" not in gone.log
