"""Keys of `slicewatch.toml` that say for all rules who is told, and when."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.hours import Hours
from alerts.operations import Maintenance, ReceiverPolicy, Route
from monitor.operating import WeeklyPlan
from monitor.settings import Settings, SettingsError, parse_settings
from rules.cron import Cron
from rules.model import Mute, Severity

HEAD = 'rules = ["rules/*.yaml"]\n'
WINDOW = """\
[[maintenance]]
cron = "0 2 * * SUN"
duration = "2h"
reason = "weekly compaction"
"""


DIGEST = """\
[receivers.leads]
kind = "console"
[digest]
receivers = ["leads"]
"""


def parsed(text: str) -> Settings:
    return parse_settings(HEAD + text, "slicewatch.toml", Path(), {})


def wrong(text: str) -> str:
    """What is said of the only mistake."""
    with pytest.raises(SettingsError) as caught:
        parsed(text)
    (problem,) = caught.value.problems
    return problem.render()


def test_maintenance_windows_are_read_in_their_order():
    """All rules, by UTC, unless it says otherwise."""
    more = 'timezone = "Europe/Oslo"\nrules = ["playback_*", "shop"]\nowner = "recs"\n'
    windows = parsed(WINDOW + WINDOW + more).operations.maintenance
    mute = Mute(Cron.parse("0 2 * * SUN"), timedelta(hours=2), "weekly compaction")
    assert windows == (Maintenance(mute), Maintenance(mute, "Europe/Oslo", ("playback_*", "shop"), "recs"))


RECEIVERS = """\
fallback = "team"
[receivers.team]
kind = "console"
hours = "Mon-Fri 09:00-18:00"
timezone = "Europe/Oslo"
outside = "oncall"
[receivers.oncall]
kind = "console"
escalate_to = "team"
escalate_after = "20m"
[[routes]]
owner = "recs"
labels = {tier = "1"}
severity = "critical"
notify = ["oncall"]
"""


def test_hours_escalations_and_routes_are_read():
    """By the receiver's time zone; a receiver of which nothing is said has no policy."""
    found = parsed(RECEIVERS + '[receivers.plain]\nkind = "console"\n').operations
    office = Hours.parse("Mon-Fri 09:00-18:00", "Europe/Oslo")
    assert found.receivers == (
        ReceiverPolicy("team", office, "oncall"),
        ReceiverPolicy("oncall", escalate_to="team", escalate_after=timedelta(minutes=20)),
    )
    assert found.routes == (Route(("oncall",), "recs", (("tier", "1"),), Severity.CRITICAL),)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        (
            RECEIVERS.replace('notify = ["oncall"]', 'notify = ["oncal"]'),
            "slicewatch.toml:16:10",
            "did you mean 'oncall'?",
        ),
        (RECEIVERS.replace('to = "team"', 'to = "them"'), "slicewatch.toml:10:15", "'them' is not a receiver"),
        (
            RECEIVERS.replace('outside = "oncall"', 'outside = "team"'),
            "slicewatch.toml:7:11",
            "cannot stand in for itself",
        ),
        (
            RECEIVERS.replace('hours = "Mon-Fri 09:00-18:00"\n', ""),
            "slicewatch.toml:6:1",
            "means nothing without 'hours'",
        ),
        (RECEIVERS.replace("09:00-18:00", "9-18"), "slicewatch.toml:5:9", "write Mon-Fri 09:00-18:00"),
        (RECEIVERS.replace('"20m"', '"soon"'), "slicewatch.toml:11:18", "bad-duration"),
        (RECEIVERS.replace('"critical"', '"loud"'), "slicewatch.toml:15:12", "unknown-value"),
        (
            RECEIVERS.replace('outside = "oncall"', 'escalate_to = "oncall"'),
            "slicewatch.toml:7:15",
            "team to oncall to team: incidents are handed on in a circle",
        ),
        (WINDOW + WINDOW.replace("SUN", "SOON"), "slicewatch.toml:7:8", "bad-cron"),
        (WINDOW + 'timezone = "Europe/Olso"\n', "slicewatch.toml:6:12", "did you mean 'Europe/Oslo'?"),
        (WINDOW + "rules = []\n", "slicewatch.toml:6:9", "rules"),
        (WINDOW + 'rule = "a"\n', "slicewatch.toml:6:1", "did you mean 'rules'?"),
        (WINDOW.replace('reason = "weekly compaction"\n', ""), "slicewatch.toml:2:3", "missing-key"),
        ('[alerts]\nack_expires = "soon"\n', "slicewatch.toml:3:15", "bad-duration"),
        ('[alerts]\nlook_closer = "no"\n', "slicewatch.toml:3:15", "true or false"),
        (DIGEST.replace('"leads"]', '"lead"]'), "slicewatch.toml:5:13", "did you mean 'leads'?"),
        (
            DIGEST.replace('"console"', '"alertmanager"\nurl = "http://a"'),
            "slicewatch.toml:6:13",
            "knows incidents only",
        ),
        (DIGEST + 'cron = "0 * * * MON"\n', "slicewatch.toml:6:8", "more than once a day"),
        (DIGEST + 'cron = "monday"\n', "slicewatch.toml:6:8", "bad-cron"),
        (DIGEST.replace('"leads"]', "]"), "slicewatch.toml:5:13", "receivers"),
    ],
)
def test_a_mistake_is_told_at_its_place(text, place, says):
    """The line of the very entry of several, and what to do."""
    told = wrong(text)
    assert told.startswith(place)
    assert says in told


def test_a_digest_comes_on_mondays():
    """Unless it says when; nobody is sent one where the table is absent."""
    assert parsed("").weekly is None
    assert parsed(DIGEST).weekly == WeeklyPlan(("leads",), Cron.parse("0 8 * * MON"), "UTC")
    later = parsed(DIGEST + 'cron = "30 6 1 * *"\ntimezone = "Europe/Oslo"\n').weekly
    assert later == WeeklyPlan(("leads",), Cron.parse("30 6 1 * *"), "Europe/Oslo")


def test_the_page_shows_what_can_be_written():
    """Each piece of `slicewatch.toml` in docs/alerting.md is read without a mistake."""
    page = Path(__file__).parents[2].joinpath("docs", "alerting.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    phone = '[receivers.phone]\nkind = "console"\n'
    assert [bool(parsed(block + phone).operations) for block in blocks] == [True] * 3
