"""The weekly digest: printed on demand, sent once for each period and receiver."""

from __future__ import annotations

import io
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from alerts.model import Change
from monitor import store
from monitor.app import App
from monitor.scheduler import Daemon
from monitor.weekly import newest_period, send_due
from tests.monitor.commands.place import HOUR, OUTAGE, TOML, Place, at

pytestmark = pytest.mark.xdist_group("commands")

TWO = f"""{TOML}
[receivers.leads]
kind = "console"

[digest]
receivers = ["leads", "terminal"]
timezone = "Europe/Oslo"
"""
MONDAY = datetime(2026, 3, 9, 7, tzinfo=UTC)
"""Eight in the morning in Oslo, five days after the outage."""


@pytest.fixture
def weekly(told: Place) -> Place:
    """A place that has told of an outage, and sends a digest on Mondays."""
    told.write("slicewatch.toml", TWO)
    return told


def digests(app: App) -> list[str]:
    """Who has been sent one, or will be."""
    with app.state.read() as tx:
        return sorted(letter.receiver for letter in store.letters(tx) if letter.message.change is Change.REPORT)


def opened(place: Place) -> App:
    """An app that writes to nobody."""
    return App.open(place.config, {}, io.StringIO())


def test_it_is_printed_at_any_time(told):
    """With what was told within the seven days before."""
    text = told.run("digest", *at(OUTAGE[1])).stdout
    assert "Weekly digest: 25 Feb to 4 Mar 2026" in text
    assert "1 incident: 1 critical. None in the week before. 1 incident goes on." in text
    assert "• playback_volume: 1 incident" in text
    (view,) = told.lines("digest", *at(OUTAGE[1]))
    assert [i["cause"] for i in view["incidents"]] == [{"device": "ios"}]
    assert view["precision"] == [{"rule": "playback_volume", "incidents": 1, "no_problem": 0, "precision": 1.0}]
    assert view["protected"]["of"] > 0
    assert 0.5 < view["protected"]["share"] <= 1.0


def test_what_was_called_no_problem_counts(told):
    """In the digest, and in what `status` says of the rule."""
    (view,) = told.lines("status")
    assert view["rules"][0]["precision"] == {"incidents": 0, "no_problem": 0, "precision": None}
    (view,) = told.lines("digest", *at(OUTAGE[1]))
    assert told.run("not-a-problem", view["incidents"][0]["id"]).exit_code == 0
    text = told.run("digest", *at(OUTAGE[1])).stdout
    assert "1 critical; 1 of them was called no problem" in text
    assert "• playback_volume: 1 incident, 1 of them no problem: precision 0 %" in text


def test_it_is_sent_where_somebody_asks(told):
    """At once; a receiver that there is not is named."""
    done = told.run("digest", *at(OUTAGE[1]), "--send", "terminal")
    assert done.exit_code == 0
    assert done.stderr.count("Weekly digest: 25 Feb to 4 Mar 2026") == 1
    again = told.run("digest", *at(OUTAGE[1]), "--send", "terminal")
    assert "it was sent there before" in again.stderr
    assert "did you mean 'terminal'?" in told.run("digest", "--send", "terminals").stderr


def test_it_is_queued_once_for_each_receiver_and_period(weekly):
    """However often it is looked at, by however many daemons, and also after the receivers grew."""
    with opened(weekly) as one, opened(weekly) as other:
        assert send_due(one, MONDAY - timedelta(minutes=1)) == 0
        assert [send_due(app, MONDAY + timedelta(hours=n)) for n, app in enumerate((one, other, one))] == [2, 0, 0]
        assert digests(one) == ["leads", "terminal"]
        assert send_due(other, MONDAY + timedelta(days=7)) == 2
        assert len(digests(other)) == 4
    weekly.write(
        "slicewatch.toml", TWO.replace('"leads", ', '"leads", "late", ') + '[receivers.late]\nkind = "console"\n'
    )
    with opened(weekly) as grown:
        assert send_due(grown, MONDAY + timedelta(days=8)) == 1


def test_two_at_the_same_moment_queue_it_once(weekly):
    """The store's unique key decides, not who was first."""
    with opened(weekly) as one, opened(weekly) as other:
        queued: list[int] = []
        both = [threading.Thread(target=lambda app=app: queued.append(send_due(app, MONDAY))) for app in (one, other)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert sum(queued) == 2
        assert digests(one) == ["leads", "terminal"]


def test_after_a_longer_absence_the_newest_is_sent(weekly):
    """Of the last whole period; nothing is made up for."""
    with opened(weekly) as app:
        assert send_due(app, MONDAY + timedelta(days=17)) == 2
        with app.state.read() as tx:
            message = next(x.message for x in store.letters(tx) if x.receiver == "leads")
    assert message.key == "week-20260323T0700Z"
    assert "16 Mar to 23 Mar 2026" in message.title
    assert "Not checked at the end:\n• playback_volume: evaluations are overdue" in "\n".join(message.summary)


def test_there_is_none_of_a_time_before_the_first_evaluation(fresh):
    """Whoever sets it up today is not told of the empty week before."""
    fresh.write("slicewatch.toml", TWO)
    with opened(fresh) as app:
        assert send_due(app, MONDAY) == 0


def test_a_period_is_between_two_times_of_the_clock_on_the_wall(weekly):
    """Summer time begins in one: that week is an hour shorter."""
    with opened(weekly) as app:
        assert app.settings.weekly is not None
        period = newest_period(app.settings.weekly, datetime(2026, 3, 31, tzinfo=UTC))
    assert period.end - period.start == timedelta(days=7) - timedelta(hours=1)


def test_the_daemon_sends_it(weekly):
    """By itself, while it evaluates as ever."""
    out, began = io.StringIO(), time.monotonic()
    with App.open(weekly.config, {}, out) as app:
        daemon = Daemon(app, now=lambda: MONDAY + timedelta(seconds=time.monotonic() - began), digest_seconds=0.2)
        running = threading.Thread(target=daemon.run)
        running.start()
        while out.getvalue().count("Weekly digest: 2 Mar to 9 Mar 2026") < 2 and time.monotonic() < began + 60:
            time.sleep(0.1)
        daemon.stop()
        running.join()
    assert out.getvalue().count("Weekly digest: 2 Mar to 9 Mar 2026") == 2


def test_once_sends_it_where_cron_calls_it(weekly):
    """There is no daemon then."""
    soon = OUTAGE[1] + HOUR
    weekly.write("slicewatch.toml", TWO.replace('timezone = "Europe/Oslo"', f'cron = "0 {soon.hour} * * WED"'))
    assert weekly.run("once", *at(soon)).stdout.count("Weekly digest: 25 Feb to 4 Mar 2026") == 2
    assert "Weekly digest" not in weekly.run("once", *at(soon + timedelta(minutes=15))).stdout
