"""What history teaches about every slice, and which slices are alarmed: the steps of `monitor.statistics`, put together.

Detectors are named by import strings, so that one which is not used is not loaded; those of other packages come by the
entry-point group `slicewatch.detectors`. Each is opened with the rule's choice and the metric it is to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from rules.model import DetectorChoice

if TYPE_CHECKING:
    from monitor.detectors.protocol import Detector

GROUP = "slicewatch.detectors"
BUILT_IN = {
    "default": "monitor.detectors.default:open_default",
    "threshold": "monitor.detectors.threshold:open_threshold",
    "stl": "monitor.detectors.forecasts:open_stl",
    "ets": "monitor.detectors.forecasts:open_ets",
}


class UnknownDetectorError(Exception):
    """No detector has this name: none that comes with slicewatch, and no plug-in."""


def detector_names() -> tuple[str, ...]:
    """The detectors that can be named in a rule, those of plug-ins last."""
    return tuple(dict.fromkeys([*BUILT_IN, *sorted(point.name for point in entry_points(group=GROUP))]))


def is_detector(name: str) -> bool:
    """Whether a rule can name this one; plug-ins are looked for on the disk only where it is none of our own."""
    return name in BUILT_IN or name in detector_names()


def open_detector(choice: DetectorChoice, metric: str) -> Detector:
    """The detector that a rule chose, for one of its metrics. Raises `UnknownDetectorError`."""
    return _factory(choice.name)(choice, metric)


def _factory(name: str) -> Callable[[DetectorChoice, str], Detector]:
    if name in BUILT_IN:
        module, _, factory = BUILT_IN[name].partition(":")
        found: Callable[[DetectorChoice, str], Detector] = getattr(import_module(module), factory)
        return found
    for point in entry_points(group=GROUP, name=name):
        loaded: Callable[[DetectorChoice, str], Detector] = point.load()
        return loaded
    raise UnknownDetectorError(name)
