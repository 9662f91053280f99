"""What the keys of a rule file mean."""

from datetime import UTC, datetime, timedelta

import pytest

from rules.cron import Cron
from rules.model import Direction, Interval, Metric, Mode, Severity, SourceRef, Timestamp
from rules.parse import parse_rules
from rules.slices import Slice

SHORT = """rules:
  - name: playback_volume
    source: warehouse.events.playback
    timestamp: event_time
    dimensions: [device, os, country]
"""

LONG = """version: 1
defaults:
  owner: recs-data
  notify: {warning: recs-data, critical: [recs-oncall, recs-pager]}
  runbook_url: https://wiki.example.com/recs/event-loss
rules:
  - name: playback_volume
    description: Playback events from clients.
    mode: shadow
    source: warehouse.events.playback
    where: env = 'prod' AND NOT is_test
    timestamp: {column: event_time, timezone: Europe/Oslo}
    metrics: [count, {sum: visits}]
    dimensions: [device, os, country]
    depth: 3
    time_bucket: 5m
    schedule: 15m
    detection_delay: 30m
    timezone: Europe/Oslo
    slices:
      max: 10
      expected: {os: [ios], device: [web, null]}
      ignore: [{country: NO, device: unknown}]
      new: learn
    baseline: {lookback: 14d, exclude: [2026-11-01/2026-11-03, 2026-12-24]}
    detector: default
    sensitivity: high
    direction: both
    min_change: 35%
    min_loss: 12
    for: 1h
    keep_firing_for: 3
    severity: critical
    labels: {tier: "1"}
"""


def only(text):
    found = parse_rules(text, "f.yaml")
    assert [problem.render() for problem in found.problems] == []
    (rule,) = found.rules
    return rule


def with_keys(keys):
    return SHORT + "".join(f"    {line}\n" for line in keys.splitlines())


def test_the_short_rule_has_the_defaults_of_the_reference():
    """Five lines are a rule."""
    rule = only(SHORT)
    assert rule.source == SourceRef("warehouse", ("events", "playback"))
    assert rule.timestamp == Timestamp("event_time", "UTC")
    assert rule.dimensions == ("device", "os", "country")
    assert (rule.metrics, rule.depth, rule.mode, rule.direction) == ((Metric("count"),), 2, Mode.LIVE, Direction.DROP)
    assert (rule.time_bucket, rule.schedule, rule.detection_delay) == (
        timedelta(hours=1),
        timedelta(hours=1),
        timedelta(),
    )
    assert (rule.lookback, rule.false_incidents_per_week, rule.min_change) == (timedelta(days=28), 1.0, 0.2)
    assert (rule.for_, rule.keep_firing_for, rule.severity, rule.notify) == (0, 2, Severity.WARNING, ())
    assert str(rule.place) == "f.yaml:2:5"


def test_every_key_reaches_the_rule():
    """The long rule, key by key."""
    rule = only(LONG)
    assert (rule.mode, rule.where, rule.depth) == (Mode.SHADOW, "env = 'prod' AND NOT is_test", 3)
    assert rule.timestamp == Timestamp("event_time", "Europe/Oslo")
    assert rule.metrics == (Metric("count"), Metric("sum", "visits"))
    assert (rule.time_bucket, rule.schedule) == (timedelta(minutes=5), timedelta(minutes=15))
    assert (rule.detection_delay, rule.timezone) == (timedelta(minutes=30), "Europe/Oslo")
    assert (rule.slices.max, rule.lookback) == (10, timedelta(days=14))
    assert (rule.false_incidents_per_week, rule.direction) == (7.0, Direction.BOTH)
    assert (rule.min_change, rule.min_loss) == (0.35, 12.0)
    assert (rule.for_, rule.keep_firing_for) == (12, 3)
    assert (rule.severity, rule.labels, rule.owner) == (Severity.CRITICAL, (("tier", "1"),), "recs-data")
    assert rule.runbook_url == "https://wiki.example.com/recs/event-loss"
    assert rule.description == "Playback events from clients."


def test_slices_stand_in_the_rules_order_of_dimensions():
    """However the file orders them."""
    rule = only(LONG)
    assert rule.slices.expected == (("device", ("web", None)), ("os", ("ios",)))
    assert rule.slices.ignore == (Slice((("device", "unknown"), ("country", "NO"))),)


def test_excluded_days_are_days_of_the_rules_time_zone():
    """Local midnights, the end not included; a single day is that day."""
    assert only(LONG).exclude == (
        Interval(datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 2, 23, tzinfo=UTC)),
        Interval(datetime(2026, 12, 23, 23, tzinfo=UTC), datetime(2026, 12, 24, 23, tzinfo=UTC)),
    )


def test_receivers_by_severity():
    """A mapping names some severities, a name or a list all of them."""
    by_severity = only(LONG).notify
    assert by_severity == (
        (Severity.WARNING, ("recs-data",)),
        (Severity.CRITICAL, ("recs-oncall", "recs-pager")),
    )
    assert dict(only(with_keys('notify: "#oncall"')).notify) == dict.fromkeys(Severity, ("#oncall",))
    assert dict(only(with_keys("notify: [a, b, a]")).notify) == dict.fromkeys(Severity, ("a", "b"))


@pytest.mark.parametrize(
    ("written", "share"), [("20%", 0.2), ("0.2", 0.2), ("1", 1.0), ("0", 0.0), ("12.5 %", 0.125), ("100%", 1.0)]
)
def test_a_share_is_a_percentage_or_a_fraction(written, share):
    """Both forms of `min_change`."""
    assert only(with_keys(f"min_change: {written}")).min_change == pytest.approx(share)


def test_a_spike_may_be_more_than_all():
    """Only drops end at 100 %."""
    assert only(with_keys("min_change: 250%\ndirection: spike")).min_change == 2.5


@pytest.mark.parametrize(("written", "budget"), [("low", 0.25), ("medium", 1), ("high", 7), ("3", 3), ("0.5", 0.5)])
def test_sensitivity_is_a_budget_of_false_incidents_a_week(written, budget):
    """Words and numbers."""
    assert only(with_keys(f"sensitivity: {written}")).false_incidents_per_week == budget


@pytest.mark.parametrize(
    ("bucket", "lookback"), [("5m", 28), ("1h", 28), ("1d", 56)], ids=["minutes", "an hour", "a day"]
)
def test_daily_buckets_look_back_twice_as_far(bucket, lookback):
    """28 days of history, for daily buckets 56; the schedule is the bucket."""
    rule = only(with_keys(f"time_bucket: {bucket}"))
    assert rule.lookback == timedelta(days=lookback)
    assert rule.schedule == rule.time_bucket


@pytest.mark.parametrize(("written", "evaluations"), [("2", 2), ('"2"', 2), ("1h", 4), ("50m", 4), ("0", 0)])
def test_persistence_in_time_is_counted_in_buckets(written, evaluations):
    """A duration is the buckets that fill it, each judged once: a schedule may judge several together, or none."""
    rule = only(with_keys(f"time_bucket: 15m\nschedule: 45m\nfor: {written}\nkeep_firing_for: {written}"))
    assert (rule.for_, rule.keep_firing_for) == (evaluations, evaluations)


def test_a_query_stands_for_the_table():
    """`source` then names only the source."""
    text = SHORT.replace("warehouse.events.playback", "warehouse") + "    query: |\n      SELECT *\n      FROM events\n"
    assert only(text).source == SourceRef("warehouse", (), "SELECT *\nFROM events\n")


def test_a_rules_own_key_wins_over_the_default_as_a_whole():
    """A mapping is taken whole, never mixed."""
    text = "defaults:\n  labels: {a: x}\n  severity: critical\n  owner: recs\n" + with_keys("labels: {b: y}")
    rule = only(text)
    assert (rule.labels, rule.severity) == ((("b", "y"),), Severity.CRITICAL)


def test_a_wrong_default_is_told_once_and_spares_rules_that_do_not_take_it():
    """Two rules inherit it, one has its own."""
    rules = [SHORT.removeprefix("rules:\n").replace("playback_volume", name) for name in ("a", "b", "c")]
    text = "defaults:\n  severity: loud\nrules:\n" + "".join(rules) + "    severity: info\n"
    found = parse_rules(text, "f.yaml")
    assert [str(problem.place) for problem in found.problems] == ["f.yaml:2:13"]
    assert [rule.name for rule in found.rules] == ["c"]


def test_a_broken_rule_hides_no_other():
    """The mistakes of both broken rules are told, and the sound one between them runs."""
    rules = [SHORT.removeprefix("rules:\n").replace("playback_volume", name) for name in ("a", "b", "c")]
    text = "rules:\n" + rules[0] + "    depth: 9\n" + rules[1] + rules[2].replace("[device, os, country]", "[]")
    found = parse_rules(text, "f.yaml")
    assert [rule.name for rule in found.rules] == ["b"]
    assert [(problem.place.line, problem.code) for problem in found.problems] == [(6, "bad-value"), (14, "empty")]


def test_an_unknown_key_of_the_file_stops_no_rule():
    """The mistake is told; the rules mean what they say all the same."""
    found = parse_rules("owner: x\n" + SHORT, "f.yaml")
    assert [problem.code for problem in found.problems] == ["unknown-key"]
    assert [rule.name for rule in found.rules] == ["playback_volume"]


def test_a_rule_knows_where_its_values_and_keys_are_written():
    """For messages that come later, such as an unknown column."""
    rule = only(LONG)
    assert str(rule.span("dimensions.1").place) == "f.yaml:14:26"
    assert str(rule.span("metrics.1.sum").place) == "f.yaml:13:28"
    assert str(rule.span("slices.expected.device:").place) == "f.yaml:22:29"
    assert str(rule.span("runbook_url").place) == "f.yaml:5:16"
    assert str(rule.span("query").place) == "f.yaml:7:5"
    assert rule.span("timestamp.column").excerpt.strip().startswith("timestamp:")


def test_where_it_is_written_is_no_part_of_what_a_rule_means():
    """The same rule with a comment inside its lines is equal."""
    assert only(SHORT) == only(SHORT.replace("timestamp: event_time", "timestamp:   event_time  # naive"))


def test_a_schedule_is_a_duration_or_a_cron_expression():
    """Five fields are times of the day, in the rule's zone."""
    assert only(with_keys('schedule: "30 6 * * MON-FRI"')).schedule == Cron.parse("30 6 * * MON-FRI")
    assert only(with_keys("schedule: 15m")).schedule == timedelta(minutes=15)
