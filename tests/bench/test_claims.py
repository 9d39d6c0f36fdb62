"""Claims that are put to the test, without measuring."""

from __future__ import annotations

import sys

import pytest

from bench import claims
from bench.claims import CallError, Claims
from bench.trust import primary, with_ratio


def holds(claims_: Claims) -> None:
    """A part whose only claim holds."""
    claims_.check("one is one", "1", held=True)


def breaks(_: Claims) -> None:
    """A part whose call fails."""
    raise CallError("gatebench run ended with 3")


def test_a_part_whose_call_fails_costs_no_other_part(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parts after it are hours of measuring."""
    monkeypatch.setattr(sys, "argv", ["trust.py", "all"])
    assert claims.main({"first": breaks, "second": holds}, "usage") == 1
    output = capsys.readouterr().out
    assert "FAIL  first comes to its end: gatebench run ended with 3" in output
    assert "PASS  one is one: 1" in output


@pytest.mark.parametrize(("names", "code"), [(["second"], 0), ([], 2), (["third"], 2)])
def test_the_exit_code_says_whether_all_held_or_nothing_was_asked(
    monkeypatch: pytest.MonkeyPatch, names: list[str], code: int
) -> None:
    """A name that is no part is bad usage."""
    monkeypatch.setattr(sys, "argv", ["trust.py", *names])
    assert claims.main({"first": breaks, "second": holds}, "usage") == code


@pytest.mark.parametrize("code", [0, 3])
def test_a_run_without_an_answer_is_named(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """It may end with 3, but then too it prints an answer."""
    monkeypatch.setattr(claims, "gatebench", lambda *_, **__: (code, ""))
    with pytest.raises(CallError, match=f"gatebench run null ended with {code} and without an answer"):
        claims.run("null", may=(0, 3))


def test_an_exit_code_that_may_not_be_is_named_with_what_was_said() -> None:
    """An unknown suite is bad usage."""
    with pytest.raises(CallError, match=r"gatebench plan nowhere ended with 2: .*nowhere"):
        claims.gatebench("plan", "nowhere", may=(0,))


def test_a_ratio_that_is_needed_and_missing_is_named_with_its_reasons() -> None:
    """A claim about it would be a TypeError."""
    verdict = {"pair": "p1", "primary": True, "ratio": None, "reasons": ["too few blocks", "p1a is invalid"]}
    answer = {"run": "results/slower", "pairs": [{"pair": "p1", "primary": False}, verdict]}
    assert primary(answer) is verdict
    with pytest.raises(CallError, match="results/slower: no ratio came out: too few blocks; p1a is invalid"):
        with_ratio(answer)
