"""What README and FINDINGS quote of the committed runs is what those runs show."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench import findings, reference
from bench.reference import EXAMPLES, QUOTED, SHOWN, TUNED, WORKED, adopt, in_pod, splice, splice_examples, worked
from tests.report.report_support import built

ROOT = Path(__file__).resolve().parent.parent.parent
GIT = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone of the repository")
README = (ROOT / "README.md").read_text()


def test_the_readme_quotes_the_reference_run_as_it_is() -> None:
    """`make reference` would change nothing, and every picture that it shows is there."""
    if not (ROOT / QUOTED).is_dir():
        pytest.skip(f"{QUOTED} is not there: `make reference RUN=...` makes it")
    assert splice(README) == README
    pictures = re.findall(r'(?:srcset|src)="([^"]+)"', README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_the_committed_comparisons_of_equals_are_what_the_findings_say() -> None:
    """Twenty, none called better or worse, and the widest interval is the one that is quoted."""
    equals = [row for row in findings.rows("null") if row["kind"] == "pair" and row["metric"] == "throughput_rps"]
    assert len(equals) == 20
    assert not {row["verdict"] for row in equals} & {"better", "worse"}
    undecided = [row["blocks"] < row["blocks_measured"] for row in equals if row["verdict"] == "inconclusive"]
    assert undecided == [True]  # The widest of them, with four of its five blocks.
    widest = max(equals, key=lambda row: float(row["high"]) / float(row["low"]))
    assert f"<!--null {widest['id']} throughput_rps-->" in findings.PAGE.read_text(encoding="utf-8")


def test_every_figure_of_the_findings_is_its_run_s() -> None:
    """`make reference` would change nothing, and no ratio or rate stands there without a mark."""
    text = findings.PAGE.read_text(encoding="utf-8")
    assert findings.MARK.search(text)
    assert findings.splice(text) == text
    pictures = re.findall(r'(?:srcset|src)="([^"]+)"', text)
    assert pictures
    assert all((findings.PAGE.parent / picture).is_file() for picture in pictures)
    bare = findings.MARK.sub("", text)
    assert not re.findall(r"\d[\d.,]*(?: to \d|/s| times|\u202f)", bare)


def test_the_examples_quote_their_runs_as_they_are() -> None:
    """`make reference` would change nothing, every picture is there, and no figure stands beside the quotations."""
    text = EXAMPLES.read_text(encoding="utf-8")
    assert splice_examples(text) == text
    pictures = re.findall(r'(?:srcset|src)="([^"]+)"', text)
    assert all((EXAMPLES.parent / picture).is_file() for picture in pictures)
    bare = re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", text, flags=re.DOTALL)
    assert [suite for suite in WORKED if f"<!-- {suite}:begin -->" not in text] == []
    assert not re.findall(r"\d[\d.,]*(?: to \d|/s\b| times| ms\b)", bare)


def test_a_tuning_in_a_pod_takes_no_other_s_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept beside the one without a pod, and quoted from there; until then what makes it stands in its place."""
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    assert "--cpus 0.5` measures it" in in_pod()
    made = tmp_path / "made"
    made.mkdir()
    for name in ("run.json", "trials.jsonl", "tune.json"):
        shutil.copy(ROOT / TUNED / name, made)
    info = json.loads((made / "run.json").read_text())
    for arm in (arm for group in info["plan"]["groups"] for arm in group["arms"]):
        arm["cell"]["cpus"] = 0.5
    (made / "run.json").write_text(json.dumps(info))
    kept = adopt(made, tmp_path, tmp_path / "results")
    assert kept.name == "reference-tune-pod"
    assert sorted(picture.suffix for picture in (kept / "charts").iterdir()) == [".png", ".png", ".svg", ".svg"]
    assert in_pod().startswith("The same in half a core, `--cpus 0.5`, as it came out on 2026-")
    assert 'src="results/reference-tune-pod/charts/tune-candidates.png"' in in_pod()


def test_an_example_is_quoted_from_the_run_that_was_kept_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until there is one, what makes it stands in its place. It names no folder of the machine that made it."""
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    assert worked("quick").startswith("Not measured yet: `.venv/bin/python bench/worked.py quick --keep results`")
    made = tmp_path / "made"
    made.mkdir()
    for name in ("run.json", "trials.jsonl"):
        text = (ROOT / QUOTED / name).read_text()
        (made / name).write_text(text.replace('"folder": "', f'"folder": "{tmp_path}/apps/'))
    assert str(tmp_path) in (made / "run.json").read_text()
    kept = adopt(made, tmp_path, tmp_path / "results")
    assert str(tmp_path) not in (kept / "run.json").read_text()
    quoted = worked("quick")
    assert quoted.startswith("`gatebench run quick.toml` on 2026-")
    assert 'src="../results/reference-quick/charts/forest.svg"' in quoted
    pictures = re.findall(r'(?:srcset|src)="../([^"]+)"', quoted)
    assert all((tmp_path / picture).is_file() for picture in pictures)


def test_what_is_not_measured_yet_has_no_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says so, where the run that a mark names is not there."""
    monkeypatch.setattr(findings, "ROOT", tmp_path)
    text = "<!--never p1 throughput_rps--><!--/--> times"
    assert findings.splice(text) == "<!--never p1 throughput_rps-->not measured yet<!--/--> times"


def test_a_ratio_can_be_turned_round_so_that_the_winner_stands_first() -> None:
    """With its interval; a rate cannot."""
    plain = [float(number) for number in re.findall(r"[\d.]+", findings.figure("quick", "p2", "throughput_rps"))]
    ratio, low, high = (
        float(number) for number in re.findall(r"[\d.]+", findings.figure("quick", "1/p2", "throughput_rps"))
    )
    assert low < ratio < high
    assert (ratio, low, high) == pytest.approx((1 / plain[0], 1 / plain[2], 1 / plain[1]), rel=0.01)
    with pytest.raises(ValueError, match="only a ratio can be turned round"):
        findings.figure("quick", "1/p2a", "throughput_rps")


def test_a_figure_that_no_row_or_many_rows_have_is_refused() -> None:
    """A mark names one row."""
    with pytest.raises(ValueError, match=r"quick p99 throughput_rps: 0 rows fit"):
        findings.splice("<!--quick p99 throughput_rps-->1<!--/-->")
    with pytest.raises(ValueError, match=r"rows fit"):
        findings.figure("quick", "p?", "throughput_rps")


@GIT
def test_a_committed_run_that_is_drawn_again_is_as_it_was(tmp_path: Path) -> None:
    """Byte for byte, whatever the machine; where a report is to look otherwise now, `make reference` draws them all.

    Charts that no document shows are drawn beside the others, and Git ignores them.
    """
    copy = tmp_path / QUOTED.name
    shutil.copytree(ROOT / QUOTED, copy)
    built(copy)
    committed = {path.relative_to(ROOT / QUOTED) for path in _tracked(QUOTED)}
    assert {path for path in committed if (copy / path).read_bytes() != (ROOT / QUOTED / path).read_bytes()} == set()
    drawn = {path.relative_to(copy) for path in copy.rglob("*") if path.is_file()}
    assert committed < drawn
    others = {QUOTED / path for path in drawn - committed}
    assert _ignored(others) == others


@GIT
def test_git_keeps_the_charts_that_documents_show_and_no_other() -> None:
    """Of the suite `full` all of them."""
    for suite, names in SHOWN.items():
        charts = {Path(f"results/reference-{suite}/charts/{name}.svg") for name in (*names, "another")}
        assert {path.stem for path in _ignored(charts)} == {"another"}
    assert _ignored({Path("results/reference-full/charts/another.svg")}) == set()


def _tracked(folder: Path) -> list[Path]:
    """The files of `folder` that Git has."""
    done = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in done.stdout.splitlines()]


def _ignored(paths: set[Path]) -> set[Path]:
    """Those of `paths`, relative to the checkout, that Git ignores."""
    command = ["git", "check-ignore", "--no-index", *map(str, sorted(paths))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return set(map(Path, done.stdout.splitlines()))
