"""The wheel: what is in it, and that it works where a user has folders of the same names."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("harness", "loadtests", "targets", "benchmarks")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without asking a registry."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True, text=True)
    return next(folder.glob("gatebench-*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that has gatebench from the wheel, and borrows everything else from this one."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(venv), "platbase": str(venv)}))
    target = ["install", "--quiet", "--no-deps", "--no-index", "--prefix", str(venv), str(wheel)]
    subprocess.run([str(venv / "bin/python"), "-m", "pip", *target], check=True, env=borrowing(), capture_output=True)
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    return venv


def borrowing() -> dict[str, str]:
    """An environment in which another interpreter finds our pip."""
    return {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}


def files(folder: str) -> set[str]:
    """Paths of the files that the checkout has in `folder`, without what Python leaves there."""
    paths = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in paths}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_wheel_holds_every_file_of_the_folder(folder: str, wheel: Path) -> None:
    """Code, definitions and their data, locustfiles and the report's templates travel."""
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = files(folder)
    assert wanted
    assert wanted - held == set()


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    """Neither tests nor results nor caches."""
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(FOLDERS)
    assert not any("__pycache__" in name for name in zipfile.ZipFile(wheel).namelist())


def test_the_sdist_holds_all_that_a_wheel_is_built_of(tmp_path: Path) -> None:
    """Every file of its folders, and what describes it; of the results only their README."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("gatebench-*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    wanted = set().union(*(files(folder) for folder in FOLDERS))
    assert wanted | {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= held
    assert {name for name in held if name.startswith("results/")} == {"results/README.md"}


@pytest.fixture
def users_folder(tmp_path: Path) -> Path:
    """A user's project with folders and modules named like ours."""
    for name in ("targets", "harness", "loadtests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('raise ImportError("the user\'s, not ours")\n')
    suites = tmp_path / "benchmarks" / "suites"
    suites.mkdir(parents=True)
    (suites / "theirs.toml").write_text('[[pair]]\nscenario = "json"\n')
    return tmp_path


def gatebench(venv: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in `folder`."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GATEBENCH_"))}
    command = [str(venv / "bin/gatebench"), *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_installed_command_shows_our_suites_in_a_folder_with_theirs(installed: Path, users_folder: Path) -> None:
    """`gatebench list suites` lists the shipped ones."""
    done = gatebench(installed, users_folder, "list", "suites", "--json")
    assert done.returncode == 0, done.stderr
    assert "quick" in done.stdout
    assert "theirs" not in done.stdout
    assert json.loads(done.stdout)


def test_a_suite_of_the_users_own_is_found_by_its_path(installed: Path, users_folder: Path) -> None:
    """`gatebench plan benchmarks/suites/theirs.toml` reads the user's file, with our definitions."""
    done = gatebench(installed, users_folder, "plan", "benchmarks/suites/theirs.toml", "--json")
    assert done.returncode == 0, done.stderr
    assert "gunicorn-gthread" in done.stdout


def test_an_unknown_suite_is_one_clear_message(installed: Path, users_folder: Path) -> None:
    """`gatebench run theirs` says what there is, exits 2 and leaves nothing behind."""
    done = gatebench(installed, users_folder, "run", "theirs")
    assert done.returncode == 2
    assert "unknown suite" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (users_folder / "results").exists()


def test_what_the_demo_starts_is_ours(installed: Path, users_folder: Path) -> None:
    """Though the folder has a `harness` of its own: the interpreter is told not to look there."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GATEBENCH_"))}
    command = [str(installed / "bin/python"), "-P", "-m", "harness", "plan", "demo"]
    done = subprocess.run(command, cwd=users_folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "demo: 1 pairs" in done.stdout


def test_a_shell_completes_verbs_suites_and_runs(installed: Path, tmp_path: Path) -> None:
    """By what `--install-completion` put into the user's folder."""
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def called(*arguments: str, **more: str) -> str:
        # A shell is among its parents, whoever has started the tests: by that it knows which one it is.
        command = ["bash", "-c", '"$@"; exit $?', "bash", str(installed / "bin/gatebench"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=env | more, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    called("--install-completion")
    assert "_GATEBENCH_COMPLETE" in next(tmp_path.rglob("gatebench.sh")).read_text()
    run = tmp_path / "results" / "20261126T000000Z-shop"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    for words, expected in (
        ("gatebench dem", ["demo"]),
        ("gatebench run smo", ["smoke"]),
        ("gatebench compare 2026", [run.name]),
        ("gatebench compare latest la", ["latest"]),
    ):
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        assert called(_GATEBENCH_COMPLETE="complete_bash", **asked).split() == expected
