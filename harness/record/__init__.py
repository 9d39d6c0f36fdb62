"""The only reader and writer of results/."""

from harness.record.episodes import TICK_S, Deployed, Episode, Part, Timeline
from harness.record.folders import BLOCKS, EPISODES, INFO, TRIALS, find, folders, new_folder
from harness.record.reader import read, read_info, whole_blocks
from harness.record.rows import (
    FORMAT,
    BlockRow,
    GeneratorCheck,
    GeneratorShare,
    RequestRow,
    RunInfo,
    SittingRow,
    SliceRow,
    Trial,
)
from harness.record.run import Run
from harness.record.times import utc_now
from harness.record.values import Latency
from harness.record.writer import Writer, as_json, writing

__all__ = [
    "BLOCKS",
    "EPISODES",
    "FORMAT",
    "INFO",
    "TICK_S",
    "TRIALS",
    "BlockRow",
    "Deployed",
    "Episode",
    "GeneratorCheck",
    "GeneratorShare",
    "Latency",
    "Part",
    "RequestRow",
    "Run",
    "RunInfo",
    "SittingRow",
    "SliceRow",
    "Timeline",
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
