"""Numbers in a suite that nothing could be measured by."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from harness.errors import DefinitionError, UsageError
from harness.suite import load_suite


@pytest.mark.parametrize(
    "key",
    [
        "blocks",
        "rounds",
        "margin",
        "slice_s",
        "open_slice_s",
        "group_arms",
        "thresholds.lateness_p99_us",
        "thresholds.generator_cpu_percent",
        "thresholds.generator_waiting",
        "thresholds.littles_law",
        "thresholds.halves",
        "thresholds.halves_z",
        "thresholds.errors_at_least",
        "upstream.delay_ms",
        "upstream.sigma",
        "upstream.busy_ms",
        "upstream.failure_rate",
    ],
)
@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "-1", "1e300", "100000000000000000000000000"])
def test_a_number_out_of_bounds_is_refused_with_file_and_key(tmp_path: Path, key: str, number: str) -> None:
    """A limit of infinity would switch the check off, and a delay of 1e300 would never end."""
    path = tmp_path / "own.toml"
    path.write_text(f'{key} = {number}\n[[pair]]\nscenario = "json"\n')
    with pytest.raises(DefinitionError) as caught:
        load_suite(str(path))
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: {key}: Input should be ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"blocks = " + b"1" * 5000, "holds an integer of too many digits: write"),
        (b'about = "\xe9"', "is not UTF-8, as TOML must be: invalid continuation byte at byte 9; save it as UTF-8"),
        (b"blocks = ", "is not TOML: Invalid value (at end of document); correct it there"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "is nested too deeply: write"),
    ],
)
def test_a_file_that_is_no_document_is_one_message_with_its_remedy(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    """And nothing is said of the keys that it lacks."""
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(DefinitionError) as caught:
        load_suite(str(path))
    (said,) = caught.value.problems
    assert said.startswith(f"{path}: {problem}")


def test_an_integer_in_hexadecimal_may_be_as_long_and_is_refused_too(tmp_path: Path) -> None:
    """Python reads it, and cannot write it."""
    path = tmp_path / "own.toml"
    path.write_text(f'blocks = 0x{"f" * 5000}\n[[pair]]\nscenario = "json"\n')
    with pytest.raises(DefinitionError, match="too many digits"):
        load_suite(str(path))


def test_a_directory_is_no_suite(tmp_path: Path) -> None:
    """Whatever it is called."""
    folder = tmp_path / "own.toml"
    folder.mkdir()
    for name in (folder, tmp_path):
        with pytest.raises(UsageError, match="is a directory; name a suite's"):
            load_suite(str(name))


def test_a_file_that_cannot_be_read_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read every file, so the reading itself is made to fail."""
    path = tmp_path / "own.toml"
    path.write_text("")
    read_bytes = Path.read_bytes

    def refused(file: Path) -> bytes:
        if file == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_bytes(file)

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(DefinitionError) as caught:
        load_suite(str(path))
    assert caught.value.problems == [f"{path}: cannot be read: Permission denied; name a file that you may read"]


@pytest.mark.parametrize("name", ["a" * 5000 + ".toml", "a\0b.toml", "a" * 5000, "a\0b"])
def test_a_name_that_can_be_no_path_is_one_message(name: str) -> None:
    """Neither the length nor a NUL is let through to the file system."""
    with pytest.raises(UsageError):
        load_suite(name)
