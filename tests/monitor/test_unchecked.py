"""Rules that are not evaluated though the daemon runs: told once to whoever hears of them, and when they are again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Message, State
from alerts.unchecked import NotChecked, Tidings, told_unchecked
from monitor import store
from monitor.app import App
from monitor.buckets import to_epoch
from monitor.selfwatch import SelfWatch
from monitor.store.bodies import from_body
from monitor.unchecked import LONG, Onlooker, limit_of, tell_unchecked
from rules.model import Rule, Severity
from tests.monitor.test_ticks import RULE

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OWNERS = {"orders": "shop", "clicks": "web", "returns": "shop"}
RULES = tuple(replace(RULE, name=name, owner=OWNERS[name], timezone="UTC") for name in OWNERS)


@dataclass
class World:
    """Rules that are evaluated at every full hour, unless they are stuck; and a daemon that looks every minute."""

    state: store.Store
    rules: Sequence[Rule] = RULES
    now: datetime = NOW
    stuck: set[str] = field(default_factory=set)
    onlooker: Onlooker = field(default_factory=Onlooker)

    def evaluate(self) -> None:
        """Every rule that is not stuck catches up."""
        with self.state.write() as tx:
            for rule in self.rules:
                if rule.name not in self.stuck:
                    store.record_run(tx, rule.name, to_epoch(self.now) // 3600 * 3600, "ok")

    def look(self, onlooker: Onlooker | None = None) -> int:
        return tell_unchecked(self.state, self.rules, onlooker or self.onlooker, receivers, why, self.now)

    def watch(self, how_long: timedelta) -> None:
        """Look on for a while."""
        end = self.now + how_long
        while self.now < end:
            self.now += MINUTE
            self.evaluate()
            self.look()

    def told(self) -> list[tuple[str, Message]]:
        """(receiver, message), in their order."""
        with self.state.read() as tx:
            rows = tx.connection.execute(store.schema.outbox.select().order_by(store.schema.outbox.c.created_at)).all()
        return [(row.receiver, from_body(Message, row.body)) for row in rows]

    def titles(self, receiver: str) -> list[str]:
        return [message.title for name, message in self.told() if name == receiver]


def receivers(rules) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule.owner for rule in rules))


def why(rule: str, now: datetime) -> str:  # noqa: ARG001  # as the daemon says it
    return f"{rule} is stuck."


@pytest.fixture
def world():
    state = store.Store.open("sqlite://")
    yield World(state)
    state.close()


def test_nobody_hears_of_rules_that_are_evaluated(world):
    """Hour after hour, and in the minutes before each evaluation."""
    world.watch(6 * HOUR)
    assert world.told() == []


def test_a_rule_that_is_stuck_is_told_to_its_owner_once(world):
    """After three of its evaluations, with the reason; and when it is evaluated again."""
    world.watch(HOUR)
    world.stuck = {"orders"}
    world.watch(4 * HOUR)
    assert world.told() == []
    world.watch(10 * HOUR)
    ((receiver, message),) = world.told()
    assert receiver == "shop"
    assert message.title == "WARNING orders has not been checked since 4 Mar 14:00 UTC"
    assert "orders is stuck." in message.summary[0]
    world.stuck = set()
    world.watch(2 * MINUTE)
    assert world.titles("shop")[1:] == ["RESOLVED 1 rule checked again"]
    assert [message.key for _, message in world.told()] == [message.key] * 2
    world.watch(3 * HOUR)
    assert len(world.told()) == 2
    world.stuck = {"orders"}
    world.watch(8 * HOUR)
    assert world.told()[2][1].key > message.key, "another time it is another thread"


def test_many_are_one_message_for_each_who_is_told(world):
    """With those that follow within the hour; the end is told when all of them are back."""
    world.watch(HOUR)
    world.stuck = {"orders", "clicks"}
    world.watch(HOUR)
    world.stuck = set(OWNERS)
    world.watch(6 * HOUR)
    assert world.titles("web") == ["WARNING clicks has not been checked since 4 Mar 14:00 UTC"]
    first, second = (message for name, message in world.told() if name == "shop")
    assert second.title == "WARNING 2 rules are not checked, the first since 4 Mar 14:00 UTC"
    assert (first.key, first.seq, second.seq) == (second.key, 1, 2)
    world.stuck = {"returns"}
    world.watch(10 * MINUTE)
    assert world.titles("shop")[-1] == "WARNING returns has not been checked since 4 Mar 15:00 UTC"
    world.stuck = set()
    world.watch(2 * MINUTE)
    assert world.titles("shop")[-1] == "RESOLVED 1 rule checked again"


def test_a_downtime_is_told_by_nobody_who_was_down(world):
    """A daemon that comes back sees rules that are far behind, and gives them their time to catch up."""
    world.watch(HOUR)
    world.now += 30 * HOUR
    world.stuck = set(OWNERS)
    world.watch(2 * HOUR)
    assert world.told() == []
    world.stuck = set()
    world.watch(HOUR)
    assert world.told() == []


def test_a_store_that_fails_for_hours_is_no_news_of_rules(world):
    """Nobody could look meanwhile: once it answers, the rules have their time to catch up."""
    world.watch(HOUR)
    world.now += 5 * HOUR
    world.look()
    world.now += MINUTE
    world.look()
    assert world.told() == []


def test_a_rule_that_never_catches_up_is_told_in_the_end(world):
    """It is evaluated again and again, and stays hours behind."""
    (slow,) = [rule for rule in RULES if rule.name == "orders"]
    limit, begun = limit_of(slow), world.now
    world.stuck = {"orders"}
    while world.now < begun + (LONG + 3) * limit:
        world.now += MINUTE
        world.evaluate()
        with world.state.write() as tx:
            store.record_run(tx, "orders", to_epoch(world.now - limit - 2 * HOUR) // 3600 * 3600, "ok")
        world.look()
        if world.told():
            break
    assert world.now > begun + LONG * limit
    assert world.titles("shop")[0].startswith("WARNING orders has not been checked since")


def test_a_rule_that_is_removed_is_not_missed(world):
    """Its thread ends."""
    world.watch(HOUR)
    world.stuck = {"orders"}
    world.watch(6 * HOUR)
    world.rules = RULES[1:]
    world.watch(MINUTE)
    assert world.titles("shop")[-1] == "RESOLVED what was not checked is removed"


def test_another_daemon_goes_on_with_the_thread(world):
    """One that has just started resolves nothing that goes on, and tells nothing twice."""
    world.watch(HOUR)
    world.stuck = {"orders"}
    world.watch(6 * HOUR)
    fresh = Onlooker()
    for _ in range(3):
        world.now += MINUTE
        world.evaluate()
        world.look(fresh)
    assert len(world.told()) == 1
    world.stuck = set()
    world.evaluate()
    world.look(fresh)
    assert world.titles("shop")[-1] == "RESOLVED 1 rule checked again"


def test_one_that_was_never_evaluated_is_told_too(world):
    """Since the daemon knows it."""
    world.stuck = {"orders"}
    world.watch(8 * HOUR)
    assert world.titles("shop") == ["WARNING orders has not been checked since 4 Mar 12:01 UTC"]


@given(st.lists(st.tuples(st.sampled_from(sorted(OWNERS)), st.integers(0, 400)), max_size=12), st.integers(0, 3))
def test_a_message_says_all_and_names_no_more_than_it_can(rules, back):
    """Whatever it has to say: one severity, the loudest; one headline; no rule is counted twice."""
    still = tuple(
        NotChecked(replace(RULE, name=name, severity=list(Severity)[n % 3], owner="x" * 90), NOW, n + 1, "why " * 200)
        for name, n in rules
    )
    names = tuple(f"rule-{n}" for n in range(back))
    message = told_unchecked("k", 2, Tidings(still, still[:1], names, ("gone",)))
    assert len(message.push) <= 150
    assert len(message.title) <= 150
    assert message.state is (State.FIRING if still else State.RESOLVED)
    if still:
        assert message.severity.loudness == max(item.rule.severity.loudness for item in still)
    assert all(any(name in line for line in message.summary) for name in names)


def test_the_daemon_knows_why(tmp_path):
    """It is at it; it tried and failed; its source is asked for as many others as may be; or nobody has begun."""
    (tmp_path / "slicewatch.toml").write_text(
        'rules = ["*.yaml"]\n[sources.shop]\nkind = "sql"\nurl = "sqlite:///shop.db"\nconcurrency = 2\n'
    )
    shape = "  - {{name: {name}, source: shop.t_{name}, timestamp: at, dimensions: [a]}}\n"
    (tmp_path / "r.yaml").write_text("rules:\n" + "".join(shape.format(name=name) for name in ("a", "b0", "b1")))
    with App.open(tmp_path / "slicewatch.toml", {}, out=None) as app:  # type: ignore[arg-type]
        watch = SelfWatch(app, "me", lambda: NOW)
        assert watch.why("a", NOW) == "This daemon has not begun to evaluate it by 4 Mar 12:00 UTC."
        watch.failed("a", store.StoreError("disk full"))
        assert watch.why("a", NOW) == "It was tried and failed: disk full."
        watch.began("a", NOW - HOUR)
        assert watch.why("a", NOW) == "Its evaluation of 4 Mar 11:00 UTC has been going on since 4 Mar 12:00 UTC."
        watch.ended("a")
        for n in range(2):
            watch.began(f"b{n}", NOW)
        assert watch.why("a", NOW) == "shop is asked for 2 rules at a time, with b0 since 4 Mar 12:00 UTC."
