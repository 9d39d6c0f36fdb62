"""The only reader and writer of results/."""

from harness.record.folders import INFO, TRIALS, find, folders, new_folder
from harness.record.reader import read, read_info, whole_blocks
from harness.record.rows import (
    FORMAT,
    GeneratorCheck,
    Latency,
    Run,
    RunInfo,
    SliceRow,
    Trial,
)
from harness.record.writer import Writer, as_json, keep_only, utc_now, writing

__all__ = [
    "FORMAT",
    "INFO",
    "TRIALS",
    "GeneratorCheck",
    "Latency",
    "Run",
    "RunInfo",
    "SliceRow",
    "Trial",
    "Writer",
    "as_json",
    "find",
    "folders",
    "keep_only",
    "new_folder",
    "read",
    "read_info",
    "utc_now",
    "whole_blocks",
    "writing",
]
