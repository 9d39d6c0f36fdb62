"""What all tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder that holds harness/, targets/, docs/ and the rest."""
    return Path(__file__).resolve().parent.parent
