"""The instrument itself: its pieces, and the programs that they start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import calibrate, spec
from harness.errors import LaunchError, LoadError
from harness.machine.placement import Placement, place, usable_cpus
from tests.factories import PLACEMENT


@pytest.fixture
def placement() -> Placement:
    """The CPUs of this machine, as a measurement would have them."""
    return place(usable_cpus(), None)


def test_percentiles_are_within_a_tenth_of_a_percent() -> None:
    """Of the exact ones, over scales from 50 us to half a second."""
    assert calibrate.histogram_error() <= 0.001


@pytest.mark.live
def test_a_program_that_hangs_is_ended_and_named(
    placement: Placement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibrating is never endless."""
    monkeypatch.setattr(calibrate, "PATIENCE_S", 0.2)
    with pytest.raises(LaunchError, match="sleeper is not done after"):
        calibrate._output(placement, tmp_path, "sleeper", [sys.executable, "-c", "import time; time.sleep(3600)"])


@pytest.mark.live
def test_a_program_that_fails_is_named_with_its_last_lines(placement: Placement, tmp_path: Path) -> None:
    """They are in its log, which is gone with its folder."""
    with pytest.raises(LaunchError, match=r"(?s)failing ended with exit code 3.*no such thing"):
        calibrate._output(
            placement,
            tmp_path,
            "failing",
            [sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"],
        )


@pytest.mark.live
@pytest.mark.parametrize(("law", "message"), [("nonsense", "no law 'nonsense'"), ("peaks:5,200,0", "no law")])
def test_a_null_server_that_does_not_start_is_named(tmp_path: Path, law: str, message: str) -> None:
    """With the line that says why."""
    with (
        pytest.raises(LaunchError, match=message),
        calibrate.null_server(usable_cpus()[:1], tmp_path / "null-server.log", law=law),
    ):
        pass


@pytest.mark.live
def test_a_null_server_that_stays_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that it has to start in."""
    monkeypatch.setattr(calibrate, "START_S", 0.0)
    with (
        pytest.raises(LaunchError, match="the null server is silent"),
        calibrate.null_server(usable_cpus()[:1], tmp_path / "null-server.log"),
    ):
        pass


def test_a_wrk_that_fails_costs_its_own_figure_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error stands in the place of its path, and every other figure is measured."""

    def output(*_: object) -> str:
        raise LaunchError("wrk ended with exit code 1")

    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/wrk")
    monkeypatch.setattr(calibrate, "_output", output)
    piece = calibrate._wrk(Placement(**PLACEMENT), tmp_path, "http://127.0.0.1:1")
    assert piece == {"wrk_rps": None, "wrk": "wrk ended with exit code 1"}


@pytest.mark.parametrize(("output", "rate"), [("Requests/sec:  61234.5\n", 61234.5), ("unable to connect", None)])
def test_wrks_rate_is_read_from_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, rate: float | None
) -> None:
    """Where it prints no rate, that is said."""
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/wrk")
    monkeypatch.setattr(calibrate, "_output", lambda *_: output)
    piece = calibrate._wrk(Placement(**PLACEMENT), tmp_path, "http://127.0.0.1:1")
    assert piece["wrk_rps"] == rate
    assert piece["wrk"] == ("/usr/bin/wrk" if rate else "/usr/bin/wrk printed no rate")


def test_a_ceiling_without_an_answer_is_an_error_and_no_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no price of a request where none was answered."""
    slice_ = spec.Slice(
        arm="null",
        round=0,
        start_ns=0,
        length_s=1,
        requests=5,
        good=0,
        errors=5,
        error_kinds={"reset": 5},
        throughput_rps=0,
        half_rps=(0, 0),
        in_flight=1,
        mean_latency_us=None,
        generator=spec.SliceCheck(cpu_percent=0, waiting_fraction=0),
    )
    monkeypatch.setattr(calibrate, "_closed", lambda *_, **__: (slice_,))
    with pytest.raises(LoadError, match="answered nothing"):
        calibrate._ceiling(Placement(**PLACEMENT), tmp_path, 1)


@pytest.mark.live
def test_the_ceiling_is_measured_on_a_server_that_only_answers(placement: Placement, tmp_path: Path) -> None:
    """The first piece; what a whole core would do is no less than what was seen."""
    pieces = calibrate.pieces(placement, tmp_path)
    name, piece = next(pieces)
    pieces.close()
    assert name == "ceiling"
    assert piece["ceiling_rps"] >= piece["seen_rps"] > 0
    assert piece["trusted_rps"] <= piece["ceiling_rps"]
