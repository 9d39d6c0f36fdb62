"""The only reader and writer of results/."""

from harness.record.folders import BLOCKS, INFO, TRIALS, find, folders, new_folder
from harness.record.reader import read, read_info, whole_blocks
from harness.record.rows import (
    FORMAT,
    BlockRow,
    GeneratorCheck,
    GeneratorShare,
    Latency,
    Run,
    RunInfo,
    SittingRow,
    SliceRow,
    Trial,
)
from harness.record.times import utc_now
from harness.record.writer import Writer, as_json, writing

__all__ = [
    "BLOCKS",
    "FORMAT",
    "INFO",
    "TRIALS",
    "BlockRow",
    "GeneratorCheck",
    "GeneratorShare",
    "Latency",
    "Run",
    "RunInfo",
    "SittingRow",
    "SliceRow",
    "Trial",
    "Writer",
    "as_json",
    "find",
    "folders",
    "new_folder",
    "read",
    "read_info",
    "utc_now",
    "whole_blocks",
    "writing",
]
