"""Step: measure the candidate against the base, export what came out, and keep the gate's exit code for the last step.

Told: SUITE, BASELINE, THRESHOLD, OPTIONS, RUNNER_TEMP. Answers: code, what the gate ended with; folder, where
everything lies: the run, junit.xml, bmf.json, github-bigger.json, github-smaller.json, compare.json, gate.txt.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from job import add, answer, notice, stop, told

EXPORTS = {
    "junit": "junit.xml",
    "bmf": "bmf.json",
    "github-bigger": "github-bigger.json",
    "github-smaller": "github-smaller.json",
}
GATED = ("--metric", "--allow-failed-blocks")
"""Options of the gate that have a value."""


def main() -> None:
    """Do the step."""
    folder = Path(told("RUNNER_TEMP")) / "gatebench"
    folder.mkdir(parents=True, exist_ok=True)
    run = folder / "run"
    try:
        options = shlex.split(told("OPTIONS"))
    except ValueError as error:
        stop(f"options: {error}")
    gate = ["--baseline", told("BASELINE"), "--fail-on-regression", told("THRESHOLD"), "--out", str(run)]
    code = measured(["run", told("SUITE"), *gate, "--json", *options], folder)
    answer(code=str(code), folder=str(folder))
    if (run / "trials.jsonl").is_file():
        exported(run, folder, ["--threshold", told("THRESHOLD"), *of_gate(options)])
    if (summary := run / "summary.md").is_file():
        add("GITHUB_STEP_SUMMARY", summary.read_text(encoding="utf-8"))


def gatebench() -> list[str]:
    """The command: that of this environment, whatever the current folder holds."""
    return [str(Path(sys.executable).parent / "gatebench")]


def measured(argv: list[str], folder: Path) -> int:
    """Call gatebench; its exit code. The answer goes to compare.json, what it said last to gate.txt."""
    said: list[str] = []
    with (folder / "compare.json").open("w", encoding="utf-8") as answers:
        command = [*gatebench(), *argv]
        with subprocess.Popen(command, stdout=answers, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr or ():
                print(line, end="", flush=True)
                said.append(line)
    last = next((number for number, line in enumerate(said) if line.startswith("error: ")), len(said))
    (folder / "gate.txt").write_text("".join(said[last:]).removeprefix("error: "), encoding="utf-8")
    return process.returncode


def exported(run: Path, folder: Path, gate: list[str]) -> None:
    """Write the exports; one that has nothing to tell is left out."""
    for name, file in EXPORTS.items():
        argv = ["export", str(run), "--format", name, "--out", str(folder / file), *gate]
        done = subprocess.run([*gatebench(), *argv], capture_output=True, text=True, check=False)
        if done.returncode:
            notice(f"no {file}: {' '.join(done.stderr.split())}")


def of_gate(options: list[str]) -> list[str]:
    """Those of the options of `run` that the gate has too, and so junit."""
    kept: list[str] = []
    for number, option in enumerate(options):
        if option in GATED:
            kept += options[number : number + 2]
        elif option == "--fail-on-inconclusive" or option.startswith(tuple(f"{name}=" for name in GATED)):
            kept.append(option)
    return kept


if __name__ == "__main__":
    main()
