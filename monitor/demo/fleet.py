"""Who watches: the devices, systems, countries and app versions of the demo's made-up service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Habit:
    """When a kind of device is used, in local time: bumps of (hour, height, width in hours) on a base, by weekday."""

    base: float
    bumps: tuple[tuple[float, float, float], ...]
    weekdays: tuple[float, float, float, float, float, float, float]


@dataclass(frozen=True)
class Line:
    """An app with versions `major.0`, `major.1`...: one release every `every` days, live from days before day 0."""

    major: int
    every: float
    first_release: float
    releases: int

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions, oldest first."""
        return tuple(f"{self.major}.{minor}" for minor in range(self.releases))


@dataclass(frozen=True)
class Device:
    """A device type: its share of all events, its systems with their shares, its habit, its app (None: web)."""

    name: str
    share: float
    systems: tuple[tuple[str, float], ...]
    habit: Habit
    line: Line | None


POCKET = Habit(
    base=0.12,
    bumps=((8, 0.5, 1.5), (13, 0.4, 2.0), (20.5, 1.0, 2.6)),
    weekdays=(0.97, 0.96, 0.97, 0.99, 1.02, 1.06, 1.03),
)
SOFA = Habit(base=0.06, bumps=((13, 0.3, 3.0), (20.5, 1.6, 2.2)), weekdays=(0.9, 0.88, 0.9, 0.93, 1.08, 1.22, 1.15))
DESK = Habit(
    base=0.08,
    bumps=((11, 0.8, 2.4), (15, 0.8, 2.4), (21, 0.4, 2.0)),
    weekdays=(1.12, 1.13, 1.12, 1.1, 1.02, 0.74, 0.77),
)

# The newest releases are some ten days old at the end: a release makes the versions before it really drop.
MOBILE_APP = Line(major=8, every=12, first_release=-60, releases=8)
TV_APP = Line(major=5, every=20, first_release=-76, releases=6)

DEVICES = (
    Device("iphone", 0.29, (("iOS", 1.0),), POCKET, MOBILE_APP),
    Device("android_phone", 0.24, (("Android", 1.0),), POCKET, MOBILE_APP),
    Device("smart_tv", 0.14, (("Tizen", 0.45), ("webOS", 0.3), ("Android TV", 0.2), ("(other)", 0.05)), SOFA, TV_APP),
    Device("web_desktop", 0.11, (("Windows", 0.62), ("macOS", 0.26), ("ChromeOS", 0.07), ("Linux", 0.05)), DESK, None),
    Device("web_mobile", 0.07, (("Android", 0.6), ("iOS", 0.4)), POCKET, None),
    Device("tablet", 0.055, (("iPadOS", 0.66), ("Android", 0.34)), SOFA, MOBILE_APP),
    Device("streaming_stick", 0.04, (("Fire OS", 0.55), ("Roku OS", 0.3), ("Android TV", 0.15)), SOFA, TV_APP),
    Device("game_console", 0.022, (("PlayStation", 0.6), ("Xbox", 0.4)), SOFA, TV_APP),
    Device("set_top_box", 0.016, (("RDK", 0.6), ("Android TV", 0.4)), SOFA, TV_APP),
    Device("car", 0.008, (("Android", 0.55), ("iOS", 0.45)), POCKET, MOBILE_APP),
    Device("watch", 0.006, (("watchOS", 0.7), ("Wear OS", 0.3)), POCKET, MOBILE_APP),
    Device("smart_display", 0.003, (("Fire OS", 0.5), ("Fuchsia", 0.5)), SOFA, TV_APP),
)
DEVICE_NAMES = tuple(device.name for device in DEVICES)
"""All device types, largest first."""
DEFAULT_DEVICE = "iphone"

COUNTRIES: tuple[tuple[str | None, int], ...] = (
    ("US", -6),
    ("GB", 0),
    ("DE", 1),
    ("BR", -3),
    ("FR", 1),
    ("CA", -5),
    ("ES", 1),
    ("IT", 1),
    ("MX", -6),
    ("NL", 1),
    ("SE", 1),
    ("NO", 1),
    ("PL", 1),
    ("AU", 10),
    ("JP", 9),
    ("IN", 5),
    ("DK", 1),
    ("FI", 2),
    ("AR", -3),
    ("CL", -4),
    ("PT", 0),
    ("KR", 9),
    ("ZA", 2),
    ("(other)", 3),
    (None, 0),
)
"""Country and hours from UTC, by size. NULL is an address that could not be placed."""


@dataclass(frozen=True)
class Leaves:
    """Every combination of device, os, country and app version there is: five aligned arrays of length L.

    `device` and `country` index DEVICES and COUNTRIES; `os` and `version` index `os_names` and `version_names`.
    `release` counts the app's releases from its oldest, -1 where there is no app. `share` sums to 1 over a
    device's systems and countries, and is repeated for each version.
    """

    device: NDArray[np.int64]
    os: NDArray[np.int64]
    country: NDArray[np.int64]
    version: NDArray[np.int64]
    release: NDArray[np.int64]
    share: NDArray[np.float64]
    os_names: tuple[str, ...]
    version_names: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.device)


def leaves(rng: np.random.Generator) -> Leaves:
    """All combinations; the generator tilts each device's popularity by country."""
    os_names = tuple(sorted({name for device in DEVICES for name, _ in device.systems}))
    version_names: tuple[str | None, ...] = (None, *MOBILE_APP.versions, *TV_APP.versions)
    popular = _country_shares(rng)
    rows = [
        (d, os_names.index(system), c, version_names.index(version), release, device.share * share * popular[d, c])
        for d, device in enumerate(DEVICES)
        for system, share in device.systems
        for c in range(len(COUNTRIES))
        for release, version in _releases(device.line)
    ]
    device, system, country, version, release = (np.array(column) for column in list(zip(*rows, strict=True))[:5])
    share = np.array([row[5] for row in rows])
    return Leaves(device, system, country, version, release, share, os_names, version_names)


def _releases(line: Line | None) -> list[tuple[int, str | None]]:
    return [(-1, None)] if line is None else list(enumerate(line.versions))


def _country_shares(rng: np.random.Generator) -> NDArray[np.float64]:
    """Share of each country in each device, [devices, countries]: Zipf, tilted by taste; rows sum to 1."""
    zipf = 1 / (np.arange(len(COUNTRIES)) + 2.0)
    zipf[-1] *= 0.1
    taste = np.exp(rng.normal(0, 0.25, (len(DEVICES), len(COUNTRIES))))
    shares: NDArray[np.float64] = zipf * taste
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


RAMP = timedelta(days=4)
FADE = timedelta(days=25)


def adoption(line: Line, day: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each release at each time (days from the start), [times, releases]; rows sum to 1.

    A release ramps up over days and then fades slowly as people take the next one.
    """
    released = line.first_release + line.every * np.arange(line.releases)
    age = np.clip(day[:, None] - released[None, :], 0, None)
    weight = -np.expm1(-age / (RAMP / timedelta(days=1))) * np.exp(-age / (FADE / timedelta(days=1)))
    shares: NDArray[np.float64] = weight / weight.sum(axis=1, keepdims=True)
    return shares
