"""The timing middleware: one line a request, the same in every twin and in both makes."""

from __future__ import annotations

import logging
import re
from typing import Literal

import pytest

from targets.settings import Settings
from tests.targets.targets_support import TWINS

LINE = re.compile(r"(GET|POST) (/\S*) (\d+) 0\.\d{6}")


@pytest.mark.parametrize(
    ("twin", "make"),
    [(twin, make) for twin in TWINS for make in ("pure", "base") if (twin, make) != ("flask", "base")],
)
def test_a_line_a_request(twin: str, make: Literal["pure", "base"], caplog: pytest.LogCaptureFixture):
    """Method, path, status and seconds of each request, the refused ones among them; the header says the same."""
    logger = logging.getLogger("gatebench.requests")
    logger.addHandler(caplog.handler)
    try:
        with TWINS[twin](Settings(middleware=make)) as client:
            header = client.get("http://localhost/json?q=1").headers["X-Process-Time"]
            client.post("http://localhost/nowhere")
            client.get("http://localhost/json", headers={"Host": "evil.example"})
    finally:
        logger.removeHandler(caplog.handler)
    lines = [LINE.fullmatch(record.getMessage()) for record in caplog.records if record.name == logger.name]
    assert [line and line.groups() for line in lines] == [
        ("GET", "/json", "200"),
        ("POST", "/nowhere", "404"),
        ("GET", "/json", "400"),
    ]
    assert caplog.records[0].getMessage().endswith(header)


@pytest.mark.parametrize("twin", TWINS)
def test_no_stack_no_line(twin: str):
    """Without the stack nothing is timed."""
    with TWINS[twin](Settings()) as client:
        assert "X-Process-Time" not in client.get("http://localhost/json").headers
