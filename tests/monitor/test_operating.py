"""Keys of `slicewatch.toml` that say for all rules who is told, and when."""

from datetime import timedelta
from pathlib import Path

import pytest

from alerts.operations import Maintenance
from monitor.settings import Settings, SettingsError, parse_settings
from rules.cron import Cron
from rules.model import Mute

HEAD = 'rules = ["rules/*.yaml"]\n'
WINDOW = """\
[[maintenance]]
cron = "0 2 * * SUN"
duration = "2h"
reason = "weekly compaction"
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


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        (WINDOW + WINDOW.replace("SUN", "SOON"), "slicewatch.toml:7:8", "bad-cron"),
        (WINDOW + 'timezone = "Europe/Olso"\n', "slicewatch.toml:6:12", "did you mean 'Europe/Oslo'?"),
        (WINDOW + "rules = []\n", "slicewatch.toml:6:9", "rules"),
        (WINDOW + 'rule = "a"\n', "slicewatch.toml:6:1", "did you mean 'rules'?"),
        (WINDOW.replace('reason = "weekly compaction"\n', ""), "slicewatch.toml:2:3", "missing-key"),
        ('[alerts]\nack_expires = "soon"\n', "slicewatch.toml:3:15", "bad-duration"),
    ],
)
def test_a_mistake_is_told_at_its_place(text, place, says):
    """The line of the very entry of several, and what to do."""
    told = wrong(text)
    assert told.startswith(place)
    assert says in told
