"""Episodes of a block: an open load on one arm at a time, with a disturbance in it."""

from harness.trial.episodes.run import measure_episodes

__all__ = ["measure_episodes"]
