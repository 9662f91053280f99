"""Keys that say how loud, how often and when: whole ticks of a rule that has them, with a real store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pytest

from alerts.model import Change, Kind, Reason, State
from monitor import store
from monitor.buckets import to_datetime
from monitor.chain_text import explanation_text
from monitor.counts import Counts
from monitor.evaluation import Evaluator
from monitor.explaining import Explanation, Told
from monitor.newcomers import appeared, newcomers
from monitor.watched import Watched
from rules.cron import Cron
from rules.model import Escalation, Mute, NewValues, Severity, SlicePolicy
from rules.slices import FOLDED
from tests.monitor.ticks import Ticks
from tests.monitor.world import HOUR, WorldSource, cause, rule_of, world

N = 28 * 24 + 10
"""The first tick; all columns before are history."""
FRESH = world({"device": ("phone", "tablet", "tv", "web"), "country": ("NO", "SE", "DK")})
TV, RULE = "device=tv", "playback_volume"

Over = Callable[..., Ticks]


@pytest.fixture(scope="module")
def learned() -> store.Store:
    """A store that has counted four weeks of FRESH."""
    state = store.Store.open("sqlite://")
    Ticks.over(FRESH, state).learn(N)
    yield state
    state.close()


@pytest.fixture
def over(learned: store.Store) -> Over:
    """Ticks over a world whose first four weeks are those of FRESH, on a copy of its store."""
    opened: list[store.Store] = []

    def make(made, **rule) -> Ticks:
        opened.append(store.copy(learned))
        return Ticks.over(made, opened[-1], **rule)

    yield make
    for state in opened:
        state.close()


def sent(ticks: Ticks) -> list[tuple[int, str, str, str]]:
    """Hour after N, receiver, change and severity of each message."""
    return [
        (ticks.column(outcome.tick) - N - 1, receiver, message.change.value, message.severity.value)
        for outcome in ticks.outcomes
        for receiver, message in outcome.messages
    ]


def test_a_loss_that_grows_past_the_share_of_escalate_is_told_to_the_louder_receivers(over):
    """Half of tv: the team. All of it, once that is seven tenths since it began: the team's thread, and the pager."""
    made = FRESH.scaled(0.5, N + 1, None, device="tv").scaled(0.0, N + 4, None, device="tv")
    notify = ((Severity.WARNING, ("team",)), (Severity.CRITICAL, ("pager",)))
    ticks = over(made, notify=notify, escalate=(Escalation(Severity.CRITICAL, drop=0.7),)).run(range(N, N + 10))
    louder = [step for step in sent(ticks) if step[2] == Change.ESCALATED.value]
    assert [step[1:] for step in louder] == [("team", "escalated", "critical"), ("pager", "escalated", "critical")]
    assert sent(ticks)[0][1:] == ("team", "opened", "warning")
    assert [i.severity for i in ticks.incidents] == [Severity.CRITICAL]


def test_an_outage_that_lasts_is_told_again_and_a_tick_run_twice_tells_it_once(over):
    """Every six hours since it was last told, to who knows it; nothing is queued twice, nothing after its end."""
    made = FRESH.scaled(0.0, N + 1, N + 15, device="tv")
    ticks = over(made, repeat_interval=timedelta(hours=6)).run(range(N, N + 12))
    ticks.restart()
    before = ticks.dump()
    assert ticks.tick(N + 11).repeated
    assert ticks.dump() == before
    ticks.run(range(N + 12, N + 24))
    (opened, first, second, resolved) = [step for step in sent(ticks) if step[1] == "oncall"]
    assert [step[2] for step in (opened, first, second, resolved)] == ["opened", "repeated", "repeated", "resolved"]
    assert (first[0] - opened[0], second[0] - first[0]) == (6, 6)


def test_a_source_that_stays_silent_is_told_again(over):
    """Blindness is an incident like any other; what is frozen meanwhile is not repeated beside it."""
    ticks = over(FRESH, repeat_interval=timedelta(hours=3))
    ticks.source.broken = "connection refused"
    ticks.run(range(N, N + 5))
    assert [(step[0], step[2]) for step in sent(ticks)] == [(0, "opened"), (3, "repeated")]


def test_nothing_is_sent_in_a_mute_and_what_is_bad_at_its_end_is(over):
    """Judged and remembered as ever; explained by the reason of the rule; told at the first evaluation after it."""
    first = FRESH.starts[N + 1] // HOUR % 24
    mute = Mute(Cron.parse(f"0 {first} * * *"), timedelta(hours=5), "upkeep")
    ticks = over(FRESH.scaled(0.0, N + 2, N + 9, device="tv"), mute=(mute,)).run(range(N, N + 14))
    assert [(step[0], step[2]) for step in sent(ticks)] == [(5, "released"), (10, "resolved")]
    (incident,) = ticks.incidents
    with ticks.state.read() as tx:
        (held,) = [d for d in store.decisions(tx, incident.id) if d.reason is Reason.MUTED]
    assert held.because.endswith("UTC: upkeep")
    with ticks.state.read() as tx:
        steps, decided = tuple(store.transitions(tx, incident.id)), tuple(store.decisions(tx, incident.id))
    shown = explanation_text(Explanation((), (Told(incident, steps, decided, ()),), (), None))
    assert "not sent (muted): muted until" in shown
    (message,) = [m for o in ticks.outcomes for _, m in o.messages if m.change is Change.RELEASED]
    assert message.summary[0].startswith("Held back until now (muted until")


def test_while_another_rule_tells_of_it_nobody_is_told_twice(over):
    """Both lose tv: the one that is held is told once the other, which cannot see that tv stays away, has ended."""
    ingest = over(FRESH.scaled(0.0, N + 1, N + 5, device="tv"))
    held = Ticks.over(FRESH.scaled(0.0, N + 1, N + 9, device="tv"), ingest.state, name="labels", inhibited_by=[RULE])
    held.learn(N)
    for column in range(N, N + 13):
        ingest.tick(column)
        held.tick(column)
    assert [step[2] for step in sent(ingest)] == ["opened", "resolved"]
    assert [step[2] for step in sent(held)] == ["released", "resolved"]
    assert sent(held)[0][0] == sent(ingest)[1][0]
    (mine, theirs) = (ticks.incidents[0] for ticks in (held, ingest))
    with held.state.read() as tx:
        (first,) = [d for d in store.decisions(tx, mine.id) if d.reason is Reason.INHIBITED]
    assert first.because == f"{RULE} tells of {TV} meanwhile ({theirs.id})"


def test_what_nobody_was_told_of_holds_back_nothing(over):
    """The other rule is muted: its incident is no reason for silence about this one."""
    lost = FRESH.scaled(0.0, N + 1, None, device="tv")
    always = Mute(Cron.parse("0 0 * * *"), timedelta(hours=23, minutes=59), "upkeep")
    ingest = over(lost, mute=(always,))
    free = Ticks.over(lost, ingest.state, name="labels", inhibited_by=[RULE]).learn(N)
    for column in range(N, N + 4):
        ingest.tick(column)
        free.tick(column)
    assert (sent(ingest), [step[2] for step in sent(free)]) == ([], ["opened"])


def with_watches(first: int):
    """FRESH with a device from column `first` on that nobody ever saw."""
    made = FRESH.with_leaves([("watch", country) for country in ("NO", "SE", "DK")])
    values = made.values.copy()
    values[:, -3:, first:] = 50
    return replace(made, values=values)


def test_a_value_never_seen_before_is_told_once_where_the_rule_says_so(over):
    """Whatever direction the rule sends; with how many came; nothing stays open, and a second value is told by itself."""
    ticks = over(with_watches(N + 2), slices=SlicePolicy(new=NewValues.ALERT)).run(range(N, N + 5))
    (message,) = [m for o in ticks.outcomes for _, m in o.messages]
    assert message.push.startswith("WARNING playback_volume: device=watch is new: 150 events (expected 0)")
    (incident,) = ticks.incidents
    assert (incident.kind, incident.state, incident.raised_at) == (Kind.NEW, State.RESOLVED, ticks.at(N + 2))
    before = ticks.dump()
    ticks.restart()
    assert ticks.tick(N + 4).repeated
    assert ticks.dump() == before


def test_a_new_value_whose_rows_sum_to_nothing_is_told_too():
    """Rows of a sum of 0 are a value seen: there is no bucket to name, and the rule is judged all the same."""
    counts = Counts((("tv", "NO"), ("watch", "NO")), FRESH.starts[:2], np.array([[[5, 5], [0, 0]]]))
    (found,) = appeared(Watched.of(rule_of(FRESH)), counts, (), (cause(device="watch"),))
    assert (found.kind, found.observed) == (Kind.NEW, 0.0)
    assert (found.since, found.until) == (to_datetime(FRESH.starts[0]), to_datetime(FRESH.starts[2]))


def test_a_new_value_is_learned_or_left_alone_without_a_word(over):
    """`learn` tells nothing; `ignore` tells nothing and keeps every slice of it from being tested."""
    for new in (NewValues.LEARN, NewValues.IGNORE):
        ticks = over(with_watches(N + 2), slices=SlicePolicy(new=new)).run(range(N, N + 5))
        assert sent(ticks) == []
        (question,) = ticks.evaluator.questions(ticks.at(N + 4))
        ignored = {question.lattice.slice_of(row).label() for row in question.context.ignored.nonzero()[0]}
        watches = {"device=watch", *(f"device=watch, country={c}" for c in ("NO", "SE", "DK"))}
        assert ignored == (watches if new is NewValues.IGNORE else set())


def test_only_what_comes_after_a_whole_lookback_is_new():
    """Not what was seen before the history was complete, what it expects, or a new combination of known values."""
    rule = rule_of(FRESH, slices=SlicePolicy(expected=(("device", ("car",)),)))
    watched = Watched.of(rule)
    terms = [("tv", "NO"), ("web", "SE"), ("watch", "NO"), ("car", "NO"), ("tv", "SE"), (FOLDED, FOLDED)]
    assert newcomers(watched, terms, [0, 5, 9, 9, 9, 9], 9) == (cause(device="watch"),)
    assert newcomers(watched, terms, [0, 5, 8, 9, 9, 9], 9) == ()


def test_an_evaluation_under_way_leaves_nothing_under_the_old_name(over):
    """The rule is renamed while its source is asked: the tick fails, and the new name has all there was."""
    ticks = over(FRESH).run(range(N, N + 2))

    @dataclass
    class Renaming(WorldSource):
        def count(self, query):
            with ticks.state.write() as tx:
                store.rename_rule(tx, RULE, "renamed")
            return super().count(query)

    evaluator = Evaluator(ticks.watched, Renaming(FRESH), ticks.state)
    with pytest.raises(store.ConflictError, match="another name"):
        evaluator.evaluate(ticks.at(N + 2))
    with ticks.state.read() as tx:
        assert (store.rules(tx), store.newest_run(tx, "renamed")) == (["renamed"], ticks.at(N + 1).timestamp())
