"""The way to a source: places, rests, one probe, and an end."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.query import AskingStoppedError, QueryRefusedError, QueryTimeoutError, SourceError
from monitor.setting_values import MissingSecretError
from monitor.source_gate import OF_A_RULE, OF_A_SOURCE, Gate, SourceRestsError
from rules.model import SourceRef
from rules.problem import Place, Problem
from tests.monitor.world import WorldSource, world

SLOW = 60.0
REF = SourceRef("lake", ("playback",))
SMALL = world({"device": ("ios", "web")}, days=1)


@dataclass
class Moody:
    """Answers with its columns, or fails as `mood` says."""

    mood: Exception | None = None
    asked: int = 0
    stopped: bool = False

    def columns(self, ref):  # noqa: ARG002  # a Source's signature
        self.asked += 1
        if self.mood is not None:
            raise self.mood
        return ()

    def stop(self):
        self.stopped = True


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Setup:
    source: Moody = field(default_factory=Moody)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self):
        self.gate = Gate("lake", lambda: self.source, 2, self.clock)

    def ask(self, rule: str = "a") -> Exception | None:
        try:
            self.gate.ask(rule, lambda source: source.columns(REF))
        except SourceError as error:
            return error
        return None

    def fail(self, times: int, mood: Exception | None = None) -> None:
        self.source.mood = mood or SourceError("connection refused")
        for n in range(times):
            assert isinstance(self.ask(f"r{n}"), SourceError)


def test_a_source_that_fails_in_a_row_is_left_alone():
    """After five failures of any of its rules nobody asks; the reason says how long, how often, and why."""
    here = Setup()
    here.fail(5)
    answers = [here.ask(f"rule{n}") for n in range(200)]
    assert here.source.asked == 5
    assert all(isinstance(answer, SourceRestsError) for answer in answers)
    assert str(answers[0]) == (
        "lake is not asked for another 30 s: it failed 5 times in a row, the last time with: connection refused"
    )


def test_an_answer_between_failures_counts_them_anew():
    """Only failures in a row say that a source is down."""
    here = Setup()
    for _ in range(3):
        here.fail(4)
        here.source.mood = None
        assert here.ask() is None
    assert here.source.asked == 15


def test_after_its_rest_one_rule_tries_for_all():
    """While the probe waits for its answer nobody else asks; where it fails the rest is twice as long."""
    here = Setup()
    here.fail(5)
    here.clock.seconds = 30.0
    meanwhile = []

    def probe(source):
        meanwhile.append(here.ask("other"))
        return source.columns(REF)

    with pytest.raises(SourceError, match="connection refused"):
        here.gate.ask("prober", probe)
    assert "is not asked until prober has an answer of it" in str(meanwhile[0])
    assert here.source.asked == 6
    here.clock.seconds = 89.0
    assert "for another 1 s" in str(here.ask())
    here.clock.seconds = 90.0
    here.source.mood = None
    assert [here.ask(), here.ask(), here.ask()] == [None, None, None]


def test_a_probe_that_was_refused_says_nothing_of_the_source():
    """A rule at fault neither opens the way for the others nor keeps it closed: the next one tries."""
    here = Setup()
    here.fail(5)
    here.clock.seconds = 30.0
    here.source.mood = QueryRefusedError("no such column")
    assert isinstance(here.ask("wrong"), QueryRefusedError)
    here.source.mood = None
    assert here.ask("right") is None


def test_refused_questions_never_close_the_way():
    """Two hundred rules with a mistake are no failing source."""
    here = Setup()
    here.fail(200, QueryRefusedError("no such column"))
    assert here.source.asked == 200


def test_failures_of_what_was_asked_before_the_rest_do_not_lengthen_it():
    """Queries that ran side by side fail one after another: it is one failure of the source."""
    here = Setup()
    here.source.mood = SourceError("gone")

    def late(source):
        here.fail(5, SourceError("gone"))
        return source.columns(REF)

    with pytest.raises(SourceError, match="gone"):
        here.gate.ask("late", late)
    here.clock.seconds = 30.0
    here.source.mood = None
    assert here.ask() is None


def test_a_rule_whose_queries_take_too_long_waits_by_itself():
    """Three in a row, while others have answers: it rests for minutes, they do not."""
    here = Setup()
    for _ in range(3):
        here.source.mood = QueryTimeoutError("timed out after 300 s")
        assert isinstance(here.ask("heavy"), QueryTimeoutError)
        here.source.mood = None
        assert here.ask("light") is None
    assert "not asked by this rule for another 300 s: its last 3 queries took too long" in str(here.ask("heavy"))
    assert here.ask("light") is None
    here.clock.seconds = 300.0
    assert here.ask("heavy") is None


def test_a_rule_that_is_made_anew_does_not_wait_for_what_it_was():
    """An edit may be just what makes its query fast."""
    here = Setup()
    for _ in range(3):
        here.source.mood = QueryTimeoutError("timed out")
        here.ask("heavy")
        here.source.mood = None
        here.ask("light")
    here.gate.of("heavy")
    assert here.ask("heavy") is None


def test_no_more_ask_at_once_than_may():
    """The third of three waits until one of two has its answer."""
    here, most, now, lock = Setup(), 0, 0, threading.Lock()
    together = threading.Barrier(2)

    def question(source):  # noqa: ARG001
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        together.wait(SLOW)
        with lock:
            now -= 1
        return ()

    threads = [threading.Thread(target=here.gate.ask, args=[f"r{n}", question]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SLOW)
    assert most == 2


def test_a_source_that_cannot_be_opened_is_one_that_cannot_be_asked():
    """Its rules say why, as for any failure; it is opened once it can be."""
    problem = Problem(Place("slicewatch.toml"), "missing-secret", "missing secret: sources.lake.url")
    ready: list[Moody] = []

    def opened():
        if not ready:
            raise MissingSecretError((problem,))
        return ready[0]

    gate = Gate("lake", opened, 2, Clock())
    with pytest.raises(SourceError, match=r"missing secret: sources\.lake\.url"):
        gate.ask("a", lambda source: source.columns(REF))
    ready.append(Moody())
    assert gate.ask("a", lambda source: source.columns(REF)) == ()


def test_once_stopped_nobody_asks_and_failures_are_the_end_and_not_the_source():
    """Whoever waits for an answer is told that the program ends: nothing is known of the source by that."""
    here = Setup()
    assert here.ask() is None

    def cut_off(source):  # noqa: ARG001
        here.gate.stop()
        raise SourceError("canceling statement due to user request")

    with pytest.raises(AskingStoppedError):
        here.gate.ask("a", cut_off)
    assert here.source.stopped
    with pytest.raises(AskingStoppedError):
        here.ask("b")


@given(st.lists(st.tuples(st.sampled_from(["fail", "answer", "wait"]), st.floats(0, 400)), max_size=60))
def test_the_way_never_stays_closed(steps):
    """Whatever happened, after the longest rest a source that works is asked, and answers everybody."""
    here = Setup()
    for what, seconds in steps:
        here.source.mood = SourceError("down") if what == "fail" else None
        if what == "wait":
            here.clock.seconds += seconds
        else:
            here.ask()
    here.source.mood = None
    here.clock.seconds += max(OF_A_SOURCE.longest_rest, OF_A_RULE.longest_rest).total_seconds()
    assert [here.ask("a"), here.ask("b")] == [None, None]


def test_a_gated_source_answers_as_its_source_does():
    """Every question goes through."""
    inner = WorldSource(SMALL)
    source = Gate("lake", lambda: inner, 2, Clock()).of("a")
    assert source.columns(REF) == inner.columns(REF)
    assert source.span(REF, None, None) is None
    assert source.cost(None) == inner.cost(None)
    source.close()
