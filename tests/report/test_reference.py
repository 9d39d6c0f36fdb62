"""What README and FINDINGS quote of the committed runs is what those runs show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import findings
from bench.reference import QUOTED, splice

ROOT = Path(__file__).resolve().parent.parent.parent
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
