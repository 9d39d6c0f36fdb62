"""What ends the command line from outside."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from harness import cli


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Put the handlers of the test run back."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_as_ctrl_c_does(number: signal.Signals) -> None:
    """So that every `with` cleans up."""
    signal.signal(number, signal.SIG_DFL)
    cli.handle_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_a_logout_that_nohup_has_us_ignore_is_ignored() -> None:
    """The run goes on, as whoever wrote `nohup gatebench run` wanted."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cli.handle_signals()
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
