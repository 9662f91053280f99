"""How much of the input space a run looks at: less in the suite that everybody waits for, more in `make soak`."""

from __future__ import annotations

import pytest
from hypothesis import settings

SUITE, SOAK = 40, 400
"""Examples of each property that does not say how many it needs."""


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis' own number is 100."""
    whole = config.getoption("markexpr", "") == "soak"
    settings.register_profile("slicewatch", max_examples=SOAK if whole else SUITE, deadline=None)
    settings.load_profile("slicewatch")
