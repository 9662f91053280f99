"""Every detector passes the one contract, a plug-in as well."""

from __future__ import annotations

import subprocess
import sys

import pytest

from monitor.detectors import BUILT_IN, UnknownDetectorError, detector_names, open_detector
from monitor.detectors.default import Default
from rules.model import Bound, Bounds, DetectorChoice
from tests.contracts.detector_contract import DetectorContract

SHARE = Bounds(low=Bound(0.3, of_last_week=True))


class TestDefault(DetectorContract):
    """The method of docs/detection.md."""

    @pytest.fixture
    def detector(self):
        """Through the door that all come by."""
        return open_detector(DetectorChoice(), "count")


class TestThreshold(DetectorContract):
    """At least 30 % of the same hour a week before."""

    @pytest.fixture
    def detector(self):
        """A share, so that it does not depend on the unit of counting."""
        return open_detector(DetectorChoice("threshold", (("*", SHARE),)), "count")


class TestStl(DetectorContract):
    """Decomposition by local regression."""

    @pytest.fixture
    def detector(self):
        """Without settings."""
        return open_detector(DetectorChoice("stl"), "count")


class TestEts(DetectorContract):
    """Exponential smoothing."""

    @pytest.fixture
    def detector(self):
        """Without settings."""
        return open_detector(DetectorChoice("ets"), "count")


def test_a_plug_in_comes_by_its_entry_point(tmp_path, monkeypatch):
    """Any installed package may bring one; it is opened with the rule's settings."""
    info = tmp_path / "patient-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: patient\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[slicewatch.detectors]\npatient = patient_plugin:opened\n")
    (tmp_path / "patient_plugin.py").write_text(
        "from monitor.detectors.default import Default\n\n\n"
        "class Patient(Default):\n    pass\n\n\n"
        "def opened(choice, metric):\n    assert choice.options == (('patience', 3),)\n    return Patient()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "patient" in detector_names()
    found = open_detector(DetectorChoice("patient", options=(("patience", 3),)), "count")
    assert type(found).__name__ == "Patient"
    assert isinstance(found, Default)


def test_a_detector_nobody_brings_is_refused():
    """By its name."""
    with pytest.raises(UnknownDetectorError, match="oracle"):
        open_detector(DetectorChoice("oracle"), "count")


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_every_built_in_opens(name):
    """The import strings are right."""
    assert open_detector(DetectorChoice(name), "count").most_slices in {None, 200}


def test_what_is_not_used_is_not_loaded():
    """The default needs no statsmodels: a tick of it must not wait a second for the import."""
    script = "import sys; from monitor.detectors import open_detector; from rules.model import DetectorChoice; open_detector(DetectorChoice(), 'count'); sys.exit('statsmodels' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
