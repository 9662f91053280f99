"""Finds the real data that lies beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ENVIRONMENT = "SLICEWATCH_SHARED_DATA"
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data() -> Path:
    """The folder of the real data. Without it the test skips visibly; with CI=true it fails."""
    folder = Path(os.environ.get(ENVIRONMENT) or BESIDE)
    if folder.is_dir():
        return folder
    missing = f"no real data: {folder} is no folder (set {ENVIRONMENT})"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
