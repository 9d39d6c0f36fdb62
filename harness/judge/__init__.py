"""Validity, limits, statistics, verdicts and the gate: pure, from records alone."""
