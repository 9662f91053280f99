"""`slicewatch status`: how every rule stands, from the store alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.read import Health
from dashboards.text import overview_text
from monitor import store
from monitor.app import App
from monitor.views.status import overview_of
from tests.monitor.commands.place import END, HOUR, OUTAGE, RULE, at, events

pytestmark = pytest.mark.xdist_group("commands")

KEYS = [
    *("rule", "owner", "source", "health", "last_run", "last_error", "overdue", "history", "protection", "full_from"),
    *("arrivals", "arrivals_from", "precision"),
]


def health(place, now: datetime) -> Health:
    """The only rule's word, were it now that late."""
    with App.open(place.config, {}, out=None) as app:
        (rule,) = overview_of(app, now).rules
        return rule.health


def test_what_woke_nobody_is_shown_for_a_week(told):
    """What an evaluation noticed stands under the rule, with its time, until seven days later."""
    state = store.Store.open(f"sqlite:///{told.folder / 'slicewatch.db'}")
    with state.write() as tx:
        store.record_run(tx, "playback_volume", int(OUTAGE[1].timestamp()), store.OK, "no longer watched: device=tv")
    state.close()
    with App.open(told.config, {}, out=None) as app:
        soon, late = (overview_of(app, OUTAGE[1] + timedelta(days=days)) for days in (6, 7))
    assert "  2026-03-04 09:00 UTC: no longer watched: device=tv" in overview_text(soon).splitlines()
    assert "no longer watched" not in overview_text(late)


def test_a_rule_that_never_ran_says_so(fresh):
    """No time, no history, the least protection, and no word of being fine."""
    run = fresh.run("status")
    assert run.exit_code == 0
    assert run.stdout.splitlines() == [
        "playback_volume  NEVER RUN  last run never  owner recs-data",
        "  protection: only total silence is noticed",
        "  arrivals: not known yet: detection_delay is trusted",
        "deliveries: 0 done, 0 waiting, 0 given up",
    ]
    (view,) = fresh.lines("status")
    (rule,) = view["rules"]
    assert list(rule) == [*KEYS, "notices", "open"]
    assert (rule["health"], rule["last_run"], rule["full_from"]) == ("never run", None, None)
    assert view["deliveries"] == {"queued": 0, "done": 0, "dead": 0}


def test_an_open_incident_is_shown(told):
    """With its id, its cause and its numbers, in both forms, from the store alone: the lake may be gone."""
    (told.folder / "lake" / "events.parquet").unlink()
    text = told.run("status").stdout
    (view,) = told.lines("status")
    (rule,) = view["rules"]
    (incident,) = rule["open"]
    assert incident["cause"] == {"device": "ios"}
    assert incident["state"] == "firing"
    line = f"  {incident['id']}  firing  critical  drop  device=ios  0 of {round(incident['expected']):,} since "
    assert line + "2026-03-04 06:00 UTC" in text
    assert view["deliveries"]["done"] == 2


def test_health_follows_the_last_evaluation(told):
    """Firing right after it; unknown once the next ones are missing, however fine it was."""
    assert health(told, OUTAGE[1] + timedelta(minutes=5)) is Health.FIRING
    assert health(told, OUTAGE[1] + 2 * HOUR) is Health.UNKNOWN
    told.run("once", *at(END))
    assert health(told, END + timedelta(minutes=5)) is Health.FINE
    assert health(told, END + timedelta(hours=1, minutes=10)) is Health.FINE
    assert health(told, END + timedelta(hours=1, minutes=20)) is Health.UNKNOWN


def test_a_rule_nobody_evaluates_is_unknown_on_the_command_line(told):
    """The lake's present is long ago: FINE would be a lie."""
    assert datetime.now(UTC) > END + HOUR
    told.run("once", *at(END))
    lines = told.run("status").stdout.splitlines()
    assert lines[0] == "playback_volume  UNKNOWN  last run 2026-03-04 12:00 UTC  owner recs-data"
    assert lines[1] == "  evaluations are overdue: is `slicewatch run` running?"
    (rule,) = told.lines("status")[0]["rules"]
    assert (rule["health"], rule["overdue"]) == ("unknown", True)


def test_a_rule_whose_source_failed_is_unknown(told):
    """With the source's own words, even right after the evaluation."""
    (told.folder / "lake" / "events.parquet").unlink()
    assert told.run("once", *at(OUTAGE[1] + HOUR)).exit_code == 2
    assert health(told, OUTAGE[1] + HOUR) is Health.UNKNOWN
    (rule,) = told.lines("status")[0]["rules"]
    assert rule["health"] == "unknown"
    assert rule["last_error"]
    assert f"  could not ask lake.playback: {rule['last_error']}" in told.run("status").stdout.splitlines()


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        (1, "only total silence is noticed"),
        (5, "knows the time of day"),
        (20, "knows weekdays and weekends"),
        (35, "full"),
    ],
)
def test_protection_grows_with_the_events_there_are(fresh, days, stage):
    """Hours before the first event teach nothing: the stage and its date count from the first event on."""
    fresh.write_events(events(END, days, lost=None))
    assert fresh.run("once", *at(END)).exit_code == 0
    (rule,) = fresh.lines("status")[0]["rules"]
    assert rule["protection"] == stage
    if days < 28:
        begin = END - timedelta(days=days)
        assert rule["history"]["from"] == begin.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert rule["full_from"] == (begin + timedelta(days=28)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_rules_that_cannot_run_are_counted(fresh):
    """Their problems stand on standard error, their number in the status."""
    fresh.write("rules/broken.yaml", RULE.replace("playback_volume", "b") + "    depth: 7\n")
    run = fresh.run("status")
    assert "1 problem in rule files: see `slicewatch check`" in run.stdout
    assert "rules/broken.yaml:" in run.stderr
    assert fresh.lines("status")[0]["problems"] == 1
