"""What people are told: exact texts, and nothing from outside that can do harm."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.incidents import StepPolicy
from alerts.message import MESSAGE_LENGTH, PUSH_LENGTH, SECTION_LENGTH, RuleFacts, compose, parts_of, plain_text
from alerts.model import Change, Kind, Series, SliceFact, State, TotalState
from alerts.newcomers import told_once
from alerts.notifiers import slack_blocks
from alerts.ports import Part
from alerts.wording import Clock, clean, name_of, number, percent
from rules.model import Metric, Rule, Severity, SourceRef, Timestamp
from rules.problem import Place
from rules.slices import FOLDED, Slice
from tests.alerts.make import START, History, assess, blind, cause, evidence, fact, finding, tick
from tests.alerts.stories import EXPECTED, NAMES, RULE, as_blocks, as_text, message_of, messages_of
from tests.standins.block_kit import problems

OUR_WORDS = re.compile(r"cuboid|p-value|lattice|bucket|leaf|leaves|seq|finding|transition|tick\b", re.IGNORECASE)


@pytest.mark.parametrize("name", NAMES)
def test_messages_are_as_expected(name):
    """Text and blocks, to the character; `python -m tests.alerts.stories` writes them anew."""
    messages = messages_of(name)
    assert as_text(messages) == (EXPECTED / f"{name}.txt").read_text(encoding="utf-8")
    assert as_blocks(messages) == (EXPECTED / f"{name}.json").read_text(encoding="utf-8")


def test_every_expected_file_has_its_story():
    """No file is left of a story that is gone."""
    assert {f.stem for f in EXPECTED.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_messages_keep_slacks_limits_and_use_no_words_of_ours(name):
    """Block Kit accepts them, and a reader needs no glossary."""
    for message in messages_of(name):
        assert problems(slack_blocks.blocks(message)) == []
        assert problems(slack_blocks.reply_blocks(message)) == []
        assert len(message.push) <= PUSH_LENGTH
        told = replace(message, query="")
        assert OUR_WORDS.findall(message.push + plain_text(told)) == []


def test_the_push_text_of_the_main_case():
    """Severity, rule, cause, observed, expected, since and the total's state."""
    wanted = "CRITICAL playback_volume: device=ios 0 events (expected 812k) since 14:00 UTC. Total is stable."
    assert message_of("device_gone").push == wanted


@pytest.mark.parametrize("name", ["device_gone", "partial_drop", "total_outage", "renamed", "moved", "spike"])
def test_a_push_text_has_all_that_decides_whether_to_get_up(name):
    """Severity, rule, cause, observed, expected, since when, and the total's state."""
    amount, since = r"[\d.]+[kM]?", r"since \d\d:00 UTC. Total is \w+."
    pattern = rf"(CRITICAL|WARNING) \w+: .+? {amount} (events|visits) \(expected {amount}\) {since}"
    assert re.fullmatch(pattern, message_of(name).push)


# --- length and hostile values ---

texts = st.one_of(
    st.text(max_size=80),
    st.sampled_from(["x" * 10_000, "<!channel> @here", "a\nb\u202egnp.exe", "*_~`bold`~_*", "&lt;", "", " ", "NULL"]),
)
slices = st.dictionaries(texts, st.one_of(st.none(), st.just(FOLDED), texts), max_size=3).map(Slice.of)
amounts = st.floats(0, 1e13, allow_nan=False)
facts = st.one_of(
    st.just(()),
    st.builds(SliceFact, slices, amounts, amounts).map(lambda one: (one,) * 14),
)
proofs = st.builds(
    evidence,
    total_state=st.sampled_from(TotalState),
    grew=facts,
    fine=facts,
    children=facts,
    children_count=st.integers(0, 10_000),
)
kinds = st.sampled_from([Kind.DROP, Kind.SPIKE, Kind.MOVED, Kind.RENAMED])


@st.composite
def transitions(draw):
    where = draw(slices)
    kind = draw(kinds)
    bad = finding(
        where,
        kind=kind,
        metric=draw(st.sampled_from(["count", "sum(visits)", f"sum({'c' * 300})"])),
        to=draw(slices),
        observed=draw(amounts),
        expected=draw(amounts),
        evidence=draw(st.one_of(st.none(), proofs)),
        since=tick(-draw(st.integers(0, 20_000))),
        also=tuple(draw(st.lists(slices, max_size=2))),
    )
    history = History(StepPolicy(keep_firing_for=1, severity=draw(st.sampled_from(Severity))))
    history.see(assess(1, bad))
    if draw(st.booleans()):
        history.see(assess(2, good=[history.only.id]))
    else:
        history.see(assess(2, unseen=blind(2, detail=draw(texts))))
    return draw(st.sampled_from(history.transitions))


rules = st.builds(
    RuleFacts,
    name=texts,
    source=texts,
    place=texts,
    owner=st.one_of(st.none(), texts),
    bucket=st.sampled_from([timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)]),
    timezone=st.sampled_from(["UTC", "Europe/Oslo"]),
    runbook_url=st.one_of(st.none(), texts),
    query=st.one_of(st.just(""), texts.map(lambda t: t * 9)),
)


@settings(max_examples=40, deadline=None)
@given(transitions(), rules)
def test_no_value_breaks_a_message(transition, rule):
    """Whatever slices, names and errors hold: within the caps, on their lines, mentioning and linking nobody."""
    message = compose(transition, rule)
    assert 0 < len(message.push) <= PUSH_LENGTH
    assert all(0 < len(p) <= SECTION_LENGTH for p in message.summary)
    assert len(plain_text(replace(message, query="", runbook_url=None))) <= MESSAGE_LENGTH + 1_000
    assert clean(message.push, 1_000) == message.push
    for made in (slack_blocks.blocks(message), slack_blocks.reply_blocks(message)):
        assert problems(made) == []
        for text in formatted(made):
            assert re.findall(r"<(?!!date\^|https?://[^|>]*\|Runbook>)", text) == []
            assert "```" in text or re.findall(r"@(?:channel|here|everyone)", text) == []


def formatted(blocks: list[dict]) -> list[str]:
    """The texts that Slack looks for mentions, links and formatting; a header's text is shown as it is."""
    found = []
    for block in blocks:
        parts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        found += [part["text"] for part in parts if part and part["type"] == "mrkdwn"]
    return found


def test_a_long_cause_gives_way_before_the_numbers_do():
    """Names are cut with an ellipsis; observed, expected, since and the total stay."""
    where = cause(device="a" * 90, os="b" * 90, country="c" * 90)
    history = History(StepPolicy(severity=Severity.CRITICAL))
    made = history.see(assess(40, finding(where, evidence=evidence())))
    push = compose(made[0], replace(RULE, name="a_rule_with_a_name_that_goes_on_and_on_and_on")).push
    assert push.startswith("CRITICAL a_rule_with_a_")
    assert push.endswith(" 0 events (expected 812k) since 23 Nov 14:00 UTC. Total is stable.")
    assert "device=aaa" in push


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!here> & <@U1>", "&lt;!here&gt; &amp; &lt;@U1&gt;"),
        ("@channel", "@\u200bchannel"),
        ("foo_bar", "foo_bar"),
        ("*bold*", "\u200b*\u200bbold\u200b*\u200b"),
        ("2 * 3", "2 * 3"),
    ],
)
def test_slack_shows_text_as_it_is(text, shown):
    """No mention, no link, no formatting; what is harmless stays untouched."""
    assert slack_blocks.escape(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\nb", "device=a\\nb"),
        ("abc\u202edef", "device=abc\\u202edef"),
        ("\x1b[31m", "device=\\x1b[31m"),
        ("x" * 10_000, "device=" + "x" * 59 + "…"),
        (None, "device=NULL"),
        ("NULL", "device='NULL'"),
        ("", "device=''"),
    ],
)
def test_values_are_made_harmless_and_told_apart(value, shown):
    """One line, no terminal codes, no turned reading direction; NULL is not "NULL"."""
    assert name_of(cause(device=value)) == shown


def test_the_folded_rest_is_no_string():
    """A value that reads like it is shown otherwise."""
    assert name_of(Slice.of({"os": FOLDED})) == "os=other (folded)"


# --- broadcast, parts, rule facts ---


def changed(change: Change, severity=Severity.WARNING, before: float | None = 0.0) -> bool:
    history = History(StepPolicy(severity=severity))
    (opened,) = history.see(assess(1, finding(expected=1_000.0)))
    return compose(replace(opened, change=change, gap_before=before), RULE).broadcast


def test_only_what_the_whole_channel_should_hear_is_broadcast():
    """Escalation, more than twice the loss, and the end of a critical incident."""
    assert changed(Change.ESCALATED)
    assert changed(Change.WIDENED, before=499.0)
    assert not changed(Change.WIDENED, before=500.0)
    assert changed(Change.RESOLVED, Severity.CRITICAL)
    assert not changed(Change.RESOLVED)
    assert not changed(Change.OPENED, Severity.CRITICAL)


def test_a_new_value_is_no_end():
    """It is over as soon as it is told, and is shown by its severity all the same: nothing has become good."""
    found = finding(kind=Kind.NEW, observed=150.0, expected=0.0)
    (opened,) = told_once([found], Severity.CRITICAL, tick(1))
    message = compose(opened, RULE)
    assert message.state is State.RESOLVED
    assert slack_blocks.blocks(message)[0]["text"]["text"].startswith(slack_blocks.MARKS[Severity.CRITICAL])


def test_a_chart_comes_with_news_of_the_cause_only():
    """Openings with a series get one; a resolve has the file of what to load again in its place."""
    line = Series((START,), (0.0,), (5.0,), (3.0,), (7.0,))
    history = History(StepPolicy(keep_firing_for=1))
    (opened,) = history.see(assess(1, finding(evidence=evidence(series=line, total_series=line))))
    (closed,) = history.see(assess(2, good=[history.only.id]))
    assert parts_of(compose(opened, RULE)) == (Part.TEXT, Part.CHART)
    assert parts_of(compose(closed, RULE)) == (Part.TEXT, Part.FILE)
    assert closed.incident.state is State.RESOLVED


def test_the_facts_of_a_rule():
    """Name, source, place and owner come from the rule itself."""
    rule = Rule(
        name="playback_volume",
        source=SourceRef("lake", ("playback",)),
        timestamp=Timestamp("at"),
        dimensions=("device",),
        place=Place("rules/playback.yaml", 2, 5),
        metrics=(Metric("count"),),
        owner="recs-data",
    )
    facts = RuleFacts.of(rule, "SELECT 1")
    assert (facts.name, facts.source, facts.place, facts.owner, facts.query) == (
        "playback_volume",
        "lake.playback",
        "rules/playback.yaml:2",
        "recs-data",
        "SELECT 1",
    )


def test_a_query_too_long_for_a_section_is_left_out_whole():
    """Half a query is worse than none."""
    (opened,) = History().see(assess(1, finding()))
    assert compose(opened, replace(RULE, query="x" * (SECTION_LENGTH + 1))).query == ""


def test_late_data_that_came_leaves_nothing_lost():
    """A recovery with everything observed says that nothing is missing."""
    history = History(StepPolicy(keep_firing_for=1))
    history.see(assess(1, finding()))
    (closed,) = history.see(assess(2, good=[history.only.id]))
    healed = replace(closed, incident=replace(closed.incident, observed=900_100.0))
    message = compose(healed, RULE)
    assert message.summary[-1].endswith("nothing is missing any more.")
    assert message.push == "RESOLVED playback_volume: device=ios is back. Nothing is missing any more."
    assert [f.label for f in message.facts] == ["Scope", "Since", "Until", "Owner", "Rule"]


# --- words ---


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (3.4, "3.4"),
        (37, "37"),
        (999, "999"),
        (999.6, "1k"),
        (1_000, "1k"),
        (1_234, "1.2k"),
        (9_960, "10k"),
        (812_000, "812k"),
        (999_999, "1M"),
        (1_230_000, "1.2M"),
        (4.2e9, "4.2B"),
        (3e15, "3000T"),
        (-90_000, "-90k"),
        (-0.01, "0"),
        (float("nan"), "unknown"),
    ],
)
def test_numbers_are_short(value, shown):
    """Two or three digits and a unit."""
    assert number(value) == shown


def test_percentages_do_not_round_to_all_or_nothing():
    """Neither 0 nor 100 is said of what is not."""
    said = [percent(part, 1_000) for part in (0, 1, 420, 999, 1_000)]
    assert said == ["0 %", "under 1 %", "42 %", "over 99 %", "100 %"]


def test_times_have_dates_where_the_day_is_another():
    """Today needs no date; day buckets need no time; the last of a range of days is included."""
    hourly = Clock(timedelta(hours=1), "UTC", tick(2))
    assert hourly.span(START, tick(2)) == "from 14:00 to 16:00 UTC"
    assert hourly.span(tick(-24), tick(2)) == "from 22 Nov 14:00 to 16:00 UTC"
    assert Clock(timedelta(hours=1), "UTC", tick(24 * 60)).moment(START) == "23 Nov 2026 14:00 UTC"
    daily = Clock(timedelta(days=1), "Europe/Oslo", tick(40))
    midnight = tick(-15)
    assert daily.span(midnight, midnight + timedelta(days=1)) == "on 23 Nov"
    assert daily.span(midnight, midnight + timedelta(days=3)) == "from 23 Nov to 25 Nov"


def test_the_growth_of_siblings_is_told():
    """A masked loss names what hides it."""
    history = History()
    (opened,) = history.see(assess(1, finding(evidence=evidence(grew=(fact(900, 400, device="web"),)))))
    assert "What grew: device=web (+500)." in " ".join(compose(opened, RULE).summary)
