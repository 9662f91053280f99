"""The scenarios of the real data's README: one change to data as it is, and what must be raised.

`workspace(scenario, folder)` writes the changed data, the README's rule and a `slicewatch.toml`;
`complaints(scenario, raised, untouched)` compares what `replay --json` printed with what must come out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.shared_data import shared_data

RULES = Path(__file__).resolve().parents[1] / "examples" / "real-data" / "rules"

Change = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class DataSet:
    """A file of the real data, its rule in `examples/real-data`, and the stretch that is replayed."""

    table: str
    file: str
    time: str
    measure: str
    rule: str
    bucket: timedelta
    start: datetime
    end: datetime

    def read(self) -> pd.DataFrame:
        """The data as it is, rows in file order; skips where the real data is absent."""
        return pd.read_parquet(shared_data() / self.file)


@dataclass(frozen=True)
class Expected:
    """The one incident that must be raised."""

    kind: str
    cause: Mapping[str, str]
    raised_by: datetime
    to: Mapping[str, str] | None = None
    closes_at_once: bool = False
    """A rename closes once told: at the next evaluation."""


@dataclass(frozen=True)
class Scenario:
    """One change to one data set. `begins` and `ends` bound the change, [begins, ends); None is open."""

    id: str
    data: DataSet
    change: Change
    begins: datetime
    ends: datetime | None
    expected: Expected

    @property
    def resolves_by(self) -> datetime:
        """Three buckets after the change's end; the end of the replay where the change has none."""
        return self.data.end if self.ends is None else self.ends + 3 * self.data.bucket

    def changed(self) -> pd.DataFrame:
        """The data with the change applied."""
        return self.change(self.data.read())


def utc(text: str) -> datetime:
    """`2023-12-05` or `2014-06-17 08:00` as a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def write(frame: pd.DataFrame, data: DataSet, folder: Path) -> Path:
    """Lay out a folder that `slicewatch --config <returned path> replay` can run in."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / f"{data.table}.parquet", index=False)
    (folder / "rules").mkdir(exist_ok=True)
    shutil.copy(RULES / f"{data.table}.yaml", folder / "rules")
    config = folder / "slicewatch.toml"
    config.write_text(CONFIG.format(table=data.table))
    return config


def workspace(scenario: Scenario, folder: Path) -> Path:
    """The scenario's changed data, rule and configuration in `folder`; returns the `slicewatch.toml`."""
    return write(scenario.changed(), scenario.data, folder)


def untouched_workspace(data: DataSet, folder: Path) -> Path:
    """The same with the data as it is."""
    return write(data.read(), data, folder)


CONFIG = """\
rules = ["rules/*.yaml"]

[store]
url = "sqlite:///slicewatch.db"

[sources.open_data]
kind = "duckdb"
tables.{table} = "{table}.parquet"

[receivers.console]
kind = "console"
"""


# --- the changes ---------------------------------------------------------------------------------------------


def between(frame: pd.DataFrame, column: str, begins: datetime, ends: datetime | None) -> pd.Series:
    """Rows whose (naive, UTC) time lies in [begins, ends)."""
    inside = frame[column] >= pd.Timestamp(begins).tz_localize(None)
    return inside if ends is None else inside & (frame[column] < pd.Timestamp(ends).tz_localize(None))


def lose_justice_ios(frame: pd.DataFrame) -> pd.DataFrame:
    """U1: agency=justice, os=iOS has no rows."""
    return frame[~_justice_ios(frame)]


def halve_edge(frame: pd.DataFrame) -> pd.DataFrame:
    """U2: every row of browser=Edge holds half its visits, rounded down."""
    rows = _days(frame, 4) & (frame["browser"] == "Edge")
    return frame.assign(visits=frame["visits"].where(~rows, frame["visits"] // 2))


def relabel_treasury_android(frame: pd.DataFrame) -> pd.DataFrame:
    """U3: treasury's Android rows say iOS, their browser kept (beside iOS rows of the same browser)."""
    rows = _days(frame, 4) & (frame["agency"] == "treasury") & (frame["os"] == "Android")
    return frame.assign(os=frame["os"].mask(rows, "iOS"))


def rename_samsung(frame: pd.DataFrame) -> pd.DataFrame:
    """U4: the browser Samsung Internet is called Samsung Browser from then on."""
    rows = between(frame, "date", U_BEGINS, None) & (frame["browser"] == "Samsung Internet")
    return frame.assign(browser=frame["browser"].mask(rows, "Samsung Browser"))


def mask_justice_ios(frame: pd.DataFrame) -> pd.DataFrame:
    """U5: as U1, and the other agencies' iOS gains what was lost, per day and browser in proportion."""
    lost = frame[_justice_ios(frame)].groupby(["date", "browser"])["visits"].sum()
    visits = frame["visits"].to_numpy().copy()
    takers = (_days(frame, 3) & (frame["os"] == "iOS") & (frame["agency"] != "justice")).to_numpy()
    for (date, browser), amount in lost.items():
        rows = takers & ((frame["date"] == date) & (frame["browser"] == browser)).to_numpy()
        visits[rows] += apportion(int(amount), visits[rows])
    return lose_justice_ios(frame.assign(visits=visits))


def apportion(amount: int, weights: np.ndarray) -> np.ndarray:
    """Split `amount` in proportion to `weights` into integers that sum to it (largest remainder)."""
    total = int(weights.sum())
    if total <= 0:
        raise ValueError("nobody to give to")
    exact = weights.astype(object) * amount
    shares = np.array([part // total for part in exact], dtype=np.int64)
    rest = np.array([part % total for part in exact], dtype=np.int64)
    shares[np.argsort(-rest, kind="stable")[: amount - int(shares.sum())]] += 1
    return shares


def lose_zone(frame: pd.DataFrame) -> pd.DataFrame:
    """N1: zone_row=8, zone_col=3 has no rows, in neither direction."""
    return frame[~(between(frame, "hour", N_BEGINS, N_ENDS) & (frame["zone_row"] == 8) & (frame["zone_col"] == 3))]


def halve_arrivals(frame: pd.DataFrame) -> pd.DataFrame:
    """N2: each row of direction=in holds a binomial draw of half its trips."""
    rows = (between(frame, "hour", N_BEGINS, N_ENDS) & (frame["direction"] == "in")).to_numpy()
    trips = frame["trips"].to_numpy().copy()
    trips[rows] = np.random.default_rng(0).binomial(trips[rows], 0.5)
    return frame.assign(trips=trips)


ARRIVES = (0, 1, 2, 3, 4, 12, 24)
"""Hours after an hour's end at which its trips become visible, in R1."""


def arriving_late(frame: pd.DataFrame) -> pd.DataFrame:
    """R1: each hour's trips arrive by a seeded multinomial; `arrived_at` says when.

    A share at once (by zone, uniform .6 to .97), 97 % by 4 h, all by 24 h. Rows before the lookback and after the replay
    are left out.
    """
    frame = frame[between(frame, "hour", NYC_BIKE.start - 33 * DAY, NYC_BIKE.end + DAY)]
    rng = np.random.default_rng(0)
    zones = sorted(set(zip(frame["zone_row"], frame["zone_col"], strict=True)))
    share = dict(zip(zones, rng.uniform(0.6, 0.97, len(zones)), strict=True))
    once = np.array([share[zone] for zone in zip(frame["zone_row"], frame["zone_col"], strict=True)])
    parts = np.column_stack([once, *[(0.97 - once) / 4] * 4, *[np.full(len(once), 0.015)] * 2])
    trips = rng.multinomial(frame["trips"].to_numpy(), parts)
    late = [
        frame.assign(trips=trips[:, i], arrived_at=frame["hour"] + pd.Timedelta(hours=1 + hours))
        for i, hours in enumerate(ARRIVES)
    ]
    everything = pd.concat(late)
    return everything[everything["trips"] > 0]


def late_workspace(change: Change, folder: Path, *, arrived_at: bool) -> Path:
    """R1 over a change of the bike data, the time of arrival known to the rule or not."""
    config = write(arriving_late(change(NYC_BIKE.read())), NYC_BIKE, folder)
    if arrived_at:
        with (folder / "rules" / f"{NYC_BIKE.table}.yaml").open("a") as rule:
            rule.write("    arrived_at: arrived_at\n")
    return config


def nothing(frame: pd.DataFrame) -> pd.DataFrame:
    """W1: the hurricane is in the data."""
    return frame


def _days(frame: pd.DataFrame, days: int) -> pd.Series:
    return between(frame, "date", U_BEGINS, U_BEGINS + timedelta(days=days))


def _justice_ios(frame: pd.DataFrame) -> pd.Series:
    return _days(frame, 3) & (frame["agency"] == "justice") & (frame["os"] == "iOS")


# --- the table -----------------------------------------------------------------------------------------------

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
U_BEGINS = utc("2023-12-05")
U_RAISED = utc("2023-12-06")
N_BEGINS, N_ENDS = utc("2014-06-17 08:00"), utc("2014-06-17 20:00")

USAGOV = DataSet(
    table="os_browser",
    file="usagov/os_browser.parquet",
    time="date",
    measure="visits",
    rule="government_visits",
    bucket=DAY,
    start=utc("2023-12-01"),
    end=utc("2023-12-15"),
)
NYC_BIKE = DataSet(
    table="trips_2014",
    file="nyc_bike/trips_2014.parquet",
    time="hour",
    measure="trips",
    rule="bike_trips",
    bucket=HOUR,
    start=utc("2014-06-16"),
    end=utc("2014-06-19"),
)
WASHINGTON_BIKE = DataSet(
    table="rides",
    file="washington_bike/rides.parquet",
    time="hour",
    measure="rides",
    rule="washington_rides",
    bucket=HOUR,
    start=utc("2012-10-25"),
    end=utc("2012-11-02"),
)
DATA_SETS = (USAGOV, NYC_BIKE, WASHINGTON_BIKE)

JUSTICE_IOS = {"agency": "justice", "os": "iOS"}

SCENARIOS = {
    scenario.id: scenario
    for scenario in (
        Scenario("U1", USAGOV, lose_justice_ios, U_BEGINS, U_BEGINS + 3 * DAY, Expected("drop", JUSTICE_IOS, U_RAISED)),
        Scenario(
            "U2", USAGOV, halve_edge, U_BEGINS, U_BEGINS + 4 * DAY, Expected("drop", {"browser": "Edge"}, U_RAISED)
        ),
        Scenario(
            "U3",
            USAGOV,
            relabel_treasury_android,
            U_BEGINS,
            U_BEGINS + 4 * DAY,
            Expected("moved", {"agency": "treasury", "os": "Android"}, U_RAISED, to={"os": "iOS"}),
        ),
        Scenario(
            "U4",
            USAGOV,
            rename_samsung,
            U_BEGINS,
            None,
            Expected(
                "renamed",
                {"browser": "Samsung Internet"},
                U_RAISED,
                to={"browser": "Samsung Browser"},
                closes_at_once=True,
            ),
        ),
        Scenario("U5", USAGOV, mask_justice_ios, U_BEGINS, U_BEGINS + 3 * DAY, Expected("drop", JUSTICE_IOS, U_RAISED)),
        Scenario(
            "N1",
            NYC_BIKE,
            lose_zone,
            N_BEGINS,
            N_ENDS,
            Expected("drop", {"zone_row": "8", "zone_col": "3"}, utc("2014-06-17 10:00")),
        ),
        Scenario(
            "N2",
            NYC_BIKE,
            halve_arrivals,
            N_BEGINS,
            N_ENDS,
            Expected("drop", {"direction": "in"}, utc("2014-06-17 11:00")),
        ),
        Scenario(
            "W1",
            WASHINGTON_BIKE,
            nothing,
            utc("2012-10-28 16:00"),
            None,
            Expected("drop", {}, utc("2012-10-29 08:00")),
        ),
    )
}


# --- what came out -------------------------------------------------------------------------------------------

Raised = Mapping[str, Any]
"""One line of `replay --json`: an incident."""


def complaints(scenario: Scenario, raised: Iterable[Raised], untouched: Iterable[Raised] = ()) -> list[str]:
    """What is wrong with the incidents a scenario raised; empty where it passes.

    `untouched` are those of the data as it is: incidents with the same cause and `since` are left aside
    (not in W1, where nothing is changed and the incident is in the data).
    """
    known = [] if scenario.change is nothing else [_identity(one) for one in untouched]
    new = [one for one in raised if _identity(one) not in known]
    if len(new) != 1:
        return [f"{len(new)} incidents instead of one: {[(one['kind'], one['cause'], one['since']) for one in new]}"]
    return [*_wrong_facts(scenario, new[0]), *_wrong_times(scenario, new[0])]


def _identity(incident: Raised) -> tuple[object, object]:
    return incident["cause"], incident["since"]


def _wrong_facts(scenario: Scenario, incident: Raised) -> list[str]:
    expected = scenario.expected
    wanted: Sequence[tuple[str, object]] = [("kind", expected.kind), ("cause", dict(expected.cause))]
    if expected.to is not None:
        wanted = [*wanted, ("to", dict(expected.to))]
    return [f"{key} is {incident[key]}, not {value}" for key, value in wanted if incident[key] != value]


def _wrong_times(scenario: Scenario, incident: Raised) -> list[str]:
    since, raised_at = moment(incident["since"]), moment(incident["raised_at"])
    resolved_at = moment(incident["resolved_at"]) if incident["resolved_at"] else None
    resolves_by = raised_at + scenario.data.bucket if scenario.expected.closes_at_once else scenario.resolves_by
    wrong = []
    if since < scenario.begins:
        wrong.append(f"since {since}, before the change at {scenario.begins}")
    if raised_at > scenario.expected.raised_by:
        wrong.append(f"raised at {raised_at}, later than {scenario.expected.raised_by}")
    if resolved_at is None or resolved_at > resolves_by:
        wrong.append(f"resolved at {resolved_at}, not by {resolves_by}")
    if incident.get("until") and scenario.ends and moment(incident["until"]) > scenario.ends:
        wrong.append(f"bad until {incident['until']}, past the change's end at {scenario.ends}")
    return wrong


def moment(text: str) -> datetime:
    """An ISO 8601 time with Z."""
    return datetime.fromisoformat(text)
