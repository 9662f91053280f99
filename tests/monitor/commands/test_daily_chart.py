"""A rule of days is told with eight weeks of them."""

from __future__ import annotations

import io

import pytest

from monitor.app import App
from tests.monitor.commands.place import END, HOUR, RULE, events

pytestmark = pytest.mark.xdist_group("commands")

LOST = (END.replace(hour=0) - 24 * HOUR, END.replace(hour=0))


def test_the_message_of_a_daily_rule_has_eight_weeks(fresh):
    """As far as its history reaches, the lost day is the last one and the only one that is lost."""
    fresh.write_events(events(END.replace(hour=0), days=70, outage=LOST))
    fresh.write("rules/playback.yaml", f"{RULE}    time_bucket: 1d\n    timezone: UTC\n")
    with App.open(fresh.config, {}, io.StringIO()) as app:
        (rule,) = app.rules.rules
        outcome = app.tick(rule, END)
    ((_, message),) = outcome.messages
    assert message.chart is not None
    assert message.total_chart is not None
    assert len(message.chart.starts) == len(message.total_chart.starts) == 56
    assert message.chart.starts[-1] == message.since == LOST[0]
    assert message.chart.observed[-1] == 0
    assert min(message.chart.observed[:-1]) > 0
    assert None not in message.chart.expected
