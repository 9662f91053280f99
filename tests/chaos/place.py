"""What the program is given in a chaos run: its settings, its rules, and whom it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.clock import Pace
from tests.chaos.plan import Size, rule_name, source_of
from tests.chaos.servers import Server
from tests.chaos.world import CLOCK, LEAST, Warehouse, keep_time

RULES_EACH = 4
"""Rules of one channel: so few that what happens at once is told one by one."""
FALLBACK = "ops"
STORE = "state"
SETTINGS = """\
rules = ["rules.yaml"]
fallback = "ops"

[store]
url = {env = "STORE_URL"}
"""
SOURCE = """
[sources.{name}]
kind = "sql"
url = {{env = "{variable}"}}
timeout = "3s"
"""
RECEIVER = """
[receivers.{name}]
kind = "slack"
channel = "#{name}"
token = {{env = "SLACK_TOKEN"}}
base_url = "{url}"
"""
RULE = """\
  - name: {name}
    source: {source}.events
    where: stream = '{name}'
    timestamp: event_time
    metrics: [{{sum: events}}]
    dimensions: [device, country]
    time_bucket: 30m
    detection_delay: 15m
    severity: {severity}
    notify: {channel}
    baseline: {{lookback: {lookback}}}
    keep_firing_for: 1
"""
BOUND = f"    detector: {{threshold: {{min: {LEAST}}}}}\n"
STORE_CLOCK = """
CREATE FUNCTION chaos.{name}() RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE AS $$ SELECT chaos.run_clock() $$;
"""


@dataclass(frozen=True)
class Place:
    """A folder with a configuration, and what it needs of the environment."""

    folder: Path
    env: dict[str, str]

    @property
    def config(self) -> Path:
        """The operators' file."""
        return self.folder / "slicewatch.toml"

    @property
    def clock(self) -> Path:
        """The file with the pace of the run's clock."""
        return self.folder / "clock.json"

    def offset(self, replica: int) -> Path:
        """The file that says how far off a replica's clock is."""
        return self.folder / f"offset-{replica}"

    def log(self, replica: int) -> Path:
        """What a replica printed, all its lives."""
        return self.folder / f"replica-{replica}.log"


def channel_of(number: int) -> str:
    """The receiver of a rule."""
    return f"team-{number // RULES_EACH:02}"


def channels_of(size: Size) -> dict[str, str]:
    """All channels, by name, with the ids that Slack calls them by."""
    named = dict.fromkeys([*(channel_of(n) for n in range(size.rules)), FALLBACK])
    return {f"#{name}": f"C{number:08}" for number, name in enumerate(named)}


def make_place(folder: Path, size: Size, store: Server, warehouses: Sequence[Warehouse], url: str, token: str) -> Place:
    """Write the configuration; `url` and `token` are Slack's."""
    text = SETTINGS
    env = {"STORE_URL": store.url(STORE), "SLACK_TOKEN": token}
    for number, warehouse in enumerate(warehouses):
        variable = f"SOURCE_{number}"
        env[variable] = warehouse.url
        text += SOURCE.format(name=f"source{number}", variable=variable)
    for channel in channels_of(size):
        text += RECEIVER.format(name=channel.removeprefix("#"), url=url)
    place = Place(folder, env)
    place.config.write_text(text, encoding="utf-8")
    rules = "rules:\n" + "".join(_rule(number, size) for number in range(size.rules))
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    return place


def _rule(number: int, size: Size) -> str:
    learned = number < size.learned
    text = RULE.format(
        name=rule_name(number),
        source=f"source{source_of(number, size)}",
        severity="critical" if number % 2 else "warning",
        channel=channel_of(number),
        lookback="28d" if learned else "2d",
    )
    return text if learned else text + BOUND


def make_store(server: Server) -> None:
    """An empty database whose clock is the run's."""
    server.create(STORE)
    with server.connect(STORE) as connection:
        connection.execute("CREATE SCHEMA chaos")
        connection.execute("SET search_path = chaos")
        connection.execute(CLOCK.replace("FROM pace", "FROM chaos.pace"))
        for name in ("clock_timestamp", "statement_timestamp", "transaction_timestamp", "now"):
            connection.execute(STORE_CLOCK.format(name=name))
        # Whoever asks the store for the time is told the run's: the schema comes before PostgreSQL's own.
        connection.execute(f"ALTER DATABASE {STORE} SET search_path = public, chaos, pg_catalog")


def keep_store_time(server: Server, pace: Pace) -> None:
    """Let the store's clock keep this pace."""
    with server.connect(STORE) as connection:
        connection.execute("SET search_path = chaos")
    keep_time(server, STORE, pace)
