"""Episodes on disk: their rows, blocks that were interrupted, lines that are torn."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness import record
from harness.errors import RecordError
from harness.record import Episode, RunInfo
from harness.record.sitting import resume
from harness.suite import Ask, Times
from tests import factories
from tests.episode_support import REPORT, episode, group, searched

GROUP = group()
SKEWED = {"in_time": [1, 2], "late": [0], "lost": [], "held": [], "begun": []}
EPISODES = [each for arm in GROUP.arms for each in searched(arm, 8)]


def info() -> RunInfo:
    """Of a run of two blocks with episodes."""
    return factories.run(factories.plan(GROUP, blocks=2)).info


def write(folder: Path, block: int, episodes: list[Episode], *, ended: bool = True) -> None:
    """A block of both arms, in a sitting of its own."""
    folder.mkdir(exist_ok=True)
    with record.writing(folder, info()) as writer:
        for arm in GROUP.arms:
            writer.append(factories.trial(arm, block=block, group=GROUP.id))
        for each in episodes:
            writer.append_episode(dataclasses.replace(each, block=block))
        if ended:
            writer.append_times(GROUP.id, block, Times(load_s=1.0))


def test_episodes_are_read_as_they_were_written(tmp_path: Path) -> None:
    """With the number of their sitting; the plan comes back with its disturbance."""
    write(tmp_path / "run", 0, EPISODES)
    run = record.read(tmp_path / "run")
    assert list(run.episodes) == EPISODES
    assert run.info.plan.groups[0].disturbance == GROUP.disturbance


def test_a_secret_of_a_neighbour_is_in_no_record(tmp_path: Path) -> None:
    """Its request has headers as any other."""
    asked = Ask(path="/slow", headers={"Authorization": "Bearer of-a-neighbour"})
    secret = dataclasses.replace(GROUP, neighbour=dataclasses.replace(REPORT, request=asked))
    with record.writing(tmp_path, factories.run(factories.plan(secret)).info):
        pass
    text = (tmp_path / record.INFO).read_text()
    assert "/slow" in text
    assert "of-a-neighbour" not in text


def test_a_run_without_a_disturbance_has_no_file_of_episodes(tmp_path: Path) -> None:
    """And reads as one without any."""
    write(tmp_path / "run", 0, [])
    assert not (tmp_path / "run" / record.EPISODES).exists()
    assert record.read(tmp_path / "run").episodes == ()


def test_a_block_that_ended_within_its_episodes_is_measured_again_as_a_whole(tmp_path: Path) -> None:
    """All its trials are there, but nobody knows whether all its episodes are."""
    folder = tmp_path / "run"
    write(folder, 0, EPISODES)
    write(folder, 1, EPISODES[:3], ended=False)
    assert {trial.block for trial in record.whole_blocks(record.read(folder))} == {0}
    assert {trial.block for trial in resume(folder, accept_changes=True).earlier} == {0}
    write(folder, 1, EPISODES[3:])
    run = record.read(folder)
    assert {trial.block for trial in record.whole_blocks(run)} == {0, 1}
    again = [each for each in run.episodes if each.block == 1]
    assert [each.episode for each in again] == [each.episode for each in EPISODES[3:]]
    assert {each.sitting for each in again} == {2}


def test_a_torn_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    """As that of a trial is."""
    write(tmp_path / "run", 0, EPISODES)
    path = tmp_path / "run" / record.EPISODES
    path.write_bytes(path.read_bytes()[:-40])
    run = record.read(tmp_path / "run")
    assert (len(run.episodes), run.torn) == (len(EPISODES) - 1, 1)


@pytest.mark.parametrize(
    "change", [{"strength": -1}, {"colour": "red"}, {"during": {"arrivals": 1}}, {"timeline": SKEWED}]
)
def test_what_cannot_be_true_is_refused_by_file_and_line(tmp_path: Path, change: dict[str, object]) -> None:
    """Never a traceback."""
    write(tmp_path / "run", 0, [episode(GROUP.arms[0], 1)])
    path = tmp_path / "run" / record.EPISODES
    path.write_text(json.dumps(json.loads(path.read_text()) | change) + "\n")
    with pytest.raises(RecordError, match=r"episodes\.jsonl:1"):
        record.read(tmp_path / "run")
