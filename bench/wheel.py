"""Does gatebench work where it is installed from a wheel? It is built, installed and tried, without the checkout.

    .venv/bin/python bench/wheel.py [--keep DIR]

Builds the sdist, the wheel from it, and an environment that has that wheel and what pip gets for it. Then, in empty
folders: `gatebench demo`, the completion of a shell, and `gatebench init` without an app and with one. Prints PASS or
FAIL for each claim; ends with 1 when a claim fails. Four minutes, most of them pip's; `demo` is valid only on a machine
that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.claims import ROOT, Claims

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
"""
BAD_USAGE = 2
A_MINUTE = 75
"""Seconds that the demo may take, its report included."""


def main() -> int:
    """Build, install, try; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there, and leave it")
    keep = parser.parse_args().keep
    if keep is not None:
        keep.mkdir(parents=True)
        return _tried(keep.resolve())
    with tempfile.TemporaryDirectory(prefix="gatebench-wheel-") as folder:
        return _tried(Path(folder))


def _tried(work: Path) -> int:
    claims = Claims()
    program = _installed(_wheel(work), work)
    _demo(claims, program, work / "demo")
    _completion(claims, program, work / "home")
    _init(claims, program, work / "empty", work / "app")
    return 1 if claims.failed else 0


def _wheel(work: Path) -> Path:
    """The wheel, from the sdist alone."""
    dist = work / "dist"
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(dist)], cwd=ROOT, check=True)
    (sdist,) = dist.glob("gatebench-*.tar.gz")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(dist), str(sdist)], cwd=work, check=True)
    return next(dist.glob("gatebench-*.whl"))


def _installed(wheel: Path, work: Path) -> Path:
    """The command of an environment that has nothing but the wheel and its dependencies."""
    venv = work / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--only-binary", ":all:", str(wheel)], check=True)
    return venv / "bin/gatebench"


def _called(program: Path, folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The installed command in a folder, without anything of the environment that knows of this checkout."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GATEBENCH_", "VIRTUAL"))
    }
    command = [str(program), *arguments]
    return subprocess.run(command, cwd=folder, env=kept | env, capture_output=True, text=True, timeout=300, check=False)


def _demo(claims: Claims, program: Path, folder: Path) -> None:
    folder.mkdir()
    started = time.monotonic()
    done = _called(program, folder, "demo", "--no-open")
    took = time.monotonic() - started
    pages = list((folder / "results").glob("*-demo/report.html"))
    rows = [json.loads(line) for page in pages for line in (page.parent / "trials.jsonl").read_text().splitlines()]
    errors = [row["error"] for row in rows if row.get("error")]
    index = folder / "results/index.html"
    claims.check("demo leaves one run with its page", f"{len(pages)} {done.stderr[-500:]}", held=len(pages) == 1)
    claims.check("and an index beside it", index.name, held=index.is_file())
    claims.check("every trial is measured", f"{len(rows)} rows {errors[:1]}", held=bool(rows) and not errors)
    claims.check("it ends with 0, as on a quiet machine", f"exit code {done.returncode}", held=done.returncode == 0)
    claims.check(f"within {A_MINUTE} s", f"{took:.0f} s", held=took <= A_MINUTE)


def _completion(claims: Claims, program: Path, home: Path) -> None:
    home.mkdir()
    # It asks which shell has called it, and this one may have been called by another.
    bash, call = Path("/bin/bash"), '"$0" --install-completion; exit $?'
    done = _called(bash, home, "-c", call, str(program), HOME=str(home), SHELL=str(bash))
    there = [*home.rglob("gatebench.sh")]
    claims.check("--install-completion writes what bash reads", f"{done.stdout}{done.stderr}".strip(), held=bool(there))
    asked = {"_GATEBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "gatebench run dem", "COMP_CWORD": "2"}
    shown = _called(program, home, **asked)
    seen = f"{shown.stdout}{shown.stderr}".strip()
    claims.check("bash completes the name of a suite", seen, held=shown.stdout.split() == ["demo"])


def _init(claims: Claims, program: Path, empty: Path, app: Path) -> None:
    for folder in (empty, app):
        folder.mkdir()
    done = _called(program, empty, "init")
    told = done.returncode == BAD_USAGE and "Traceback" not in done.stderr
    claims.check("init in an empty folder says that there is no app", done.stderr.strip(), held=told)
    left = ", ".join(path.name for path in empty.iterdir())
    claims.check("and leaves nothing there", left or "nothing", held=not left)
    (app / "app.py").write_text(APP, encoding="utf-8")
    done = _called(program, app, "init", "--python", str(program.with_name("python")))
    claims.check("init beside an app writes a verified suite", done.stderr.strip(), held=done.returncode == 0)
    planned = _called(program, app, "plan", "gatebench.toml")
    claims.check("which can be planned", f"exit code {planned.returncode}", held=planned.returncode == 0)


if __name__ == "__main__":
    sys.exit(main())
