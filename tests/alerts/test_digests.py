"""Storms become digests: what is told together, and what is not."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerts.digest_message import compose_digest
from alerts.digests import MOST, Lately, digest_key, sort_out
from alerts.incidents import StepPolicy
from alerts.message import MESSAGE_LENGTH, PUSH_LENGTH, SECTION_LENGTH
from alerts.model import Change, Kind, Reason, State, Transition
from alerts.notifiers import slack_blocks
from alerts.plan import Routes, plan
from alerts.reminders import tellings
from rules.model import Severity
from tests.alerts.make import History, assess, blind, cause, finding, tick

ROUTES = Routes(tuple((severity, ("team",)) for severity in Severity))
NOBODY = {"team": Lately()}


def storm(count: int, **fields) -> tuple[Transition, ...]:
    """So many causes at once, the first loses most."""
    lost = [finding(cause(app=f"app-{n:03}"), expected=100_000.0 - n, **fields) for n in range(count)]
    return History(StepPolicy(severity=Severity.CRITICAL)).see(assess(1, *lost))


def sorted_out(made, lately=NOBODY, told=None):
    known = {t.incident.id: told or () for t in made}
    return sort_out(made, plan(made, ROUTES, tick(1), known), lately, tick(1))


def test_a_few_are_told_one_by_one():
    """Five at once are five messages."""
    found = sorted_out(storm(MOST))
    assert found.digests == ()
    assert {d.reason for d in found.decisions} == {Reason.NEW}


def test_more_are_one_digest_and_the_decision_says_so():
    """Six at once, or two after four within ten minutes."""
    for made, lately in ((storm(MOST + 1), Lately()), (storm(2), Lately(fresh=4))):
        found = sorted_out(made, {"team": lately})
        (digest,) = found.digests
        assert set(digest.joined) == {t.incident.id for t in made}
        assert {(d.send, d.reason) for d in found.decisions} == {(True, Reason.DIGESTED)}
        assert {d.because for d in found.decisions} == {f"told in {digest_key('team', tick(1))}: found"}


def test_a_storm_that_goes_on_stays_one_digest():
    """What comes within ten minutes of its beginning joins it."""
    (digest,) = sorted_out(storm(1), {"team": Lately(fresh=7, digest="digest-1")}).digests
    assert digest.key == "digest-1"


def test_what_becomes_of_them_is_told_in_the_digest_but_what_becomes_louder():
    """A change and an end go to its thread; an escalation is told by itself, and so is what follows on it."""
    (first, *_) = storm(1)
    through = {"team": Lately(through={first.incident.id: "digest-1"})}
    for change in (Change.WIDENED, Change.REPEATED, Change.ACKNOWLEDGED):
        found = sorted_out([replace(first, change=change)], through, ("team",))
        assert [(d.key, d.joined) for d in found.digests] == [("digest-1", ())]
    assert sorted_out([replace(first, change=Change.ESCALATED)], through, ("team",)).digests == ()
    both = {"team": Lately(alone=frozenset({first.incident.id}), through={first.incident.id: "digest-1"})}
    over = replace(first, change=Change.RESOLVED, incident=replace(first.incident, state=State.RESOLVED))
    found = sorted_out([over], both, ("team",))
    assert [d.reason for d in found.decisions] == [Reason.RESOLVED]
    assert [d.key for d in found.digests] == ["digest-1"]


def test_what_a_person_does_and_a_digest_tells_releases_nothing_that_waits():
    """Its decision keeps its reason, by which a later look knows that what was held is held still."""
    (first, *_) = storm(1)
    known = {"team": Lately(through={first.incident.id: "digest-1"})}
    found = sorted_out([replace(first, change=Change.ACKNOWLEDGED)], known, ("team",))
    (decision,) = found.decisions
    assert (decision.reason, decision.because.partition(":")[0]) == (Reason.ACTION, "told in digest-1")
    assert found.together == {("team", first.incident.id, first.incident.seq)}
    held = replace(decision, send=False, reason=Reason.MUTED, because="muted")
    assert tellings([held, decision])[first.incident.id].held == "muted"


def test_new_values_are_no_storm():
    """They are over as soon as told, and few."""
    made = [replace(t, incident=replace(t.incident, kind=Kind.NEW)) for t in storm(8)]
    assert sorted_out(made).digests == ()


def test_a_digest_keeps_within_the_limits_of_a_channel():
    """Fifty causes with long names: the worst ten, how many more, by rule; no section and no push text too long."""
    made = [
        replace(
            t, incident=replace(t.incident, rule=f"rule-{n % 13}-" + "r" * 80, cause=cause(app="a" * 300, os="o" * 300))
        )
        for n, t in enumerate(storm(50))
    ]
    message = compose_digest("digest-1", 1, [t.incident for t in made], made, [t.incident.id for t in made])
    assert message.title == "CRITICAL: 50 new incidents at once"
    assert len(message.push) <= PUSH_LENGTH
    assert max(map(len, message.summary)) <= SECTION_LENGTH
    assert sum(map(len, message.summary)) <= MESSAGE_LENGTH
    assert message.summary[1].count("\n") == 11
    assert message.summary[1].endswith("\nand 40 more")
    assert message.summary[2].endswith(" and 3 more rules.")
    texts = [block["text"]["text"] for block in slack_blocks.blocks(message) if "text" in block]
    assert max(map(len, texts)) <= slack_blocks.SECTION_TEXT


def test_a_digest_is_over_once_all_of_it_is():
    """Until then it says how many go on; then by its own resolve, told to the channel where it was critical."""
    made = storm(7)
    ended = [replace(t.incident, state=State.RESOLVED) for t in made]
    some = compose_digest("d", 2, [*ended[:3], *(t.incident for t in made[3:])], [], ())
    assert (some.change, some.state) == (Change.CONFIRMED, State.FIRING)
    assert some.push.startswith("CRITICAL 4 of 7 incidents told together go on. Worst: playback_volume: app=app-003")
    last = compose_digest("d", 3, ended, [replace(t, incident=i) for t, i in zip(made, ended, strict=True)], ())
    assert (last.change, last.state, last.broadcast) == (Change.RESOLVED, State.RESOLVED, True)
    assert last.title == "RESOLVED: all 7 incidents are over"
    assert last.summary[0].startswith("7 incidents over.")


def test_what_is_critical_and_new_in_a_digest_is_told_to_the_channel():
    """A thread's reply wakes nobody: a critical one that joins, and one whose acknowledgement expired, are told to all."""
    made = storm(7)
    everyone, last = [t.incident for t in made], made[-1]
    quiet = replace(last, incident=replace(last.incident, severity=Severity.WARNING))
    expired, ended = replace(last, change=Change.EXPIRED), replace(last.incident, state=State.RESOLVED)
    over = replace(last, change=Change.RESOLVED, incident=ended)
    for told, joined, loud in ((last, True, True), (quiet, True, False), (expired, False, True), (over, False, False)):
        said = compose_digest("d", 2, everyone, [told], [told.incident.id] if joined else ())
        assert said.broadcast is loud


def test_sources_that_fall_silent_together_are_told_together():
    """A warehouse that is down blinds many rules at once: a line each."""
    (dark,) = History().see(assess(1, unseen=blind(1)))
    message = compose_digest("d", 1, [dark.incident], [dark], [dark.incident.id])
    assert "its source cannot be judged since 23 Nov 14:00 UTC" in message.summary[1]


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_nothing_is_told_twice_or_not_at_all(new, fresh, known):
    """However many are new, were new lately, and are known: each step is told alone or in one digest."""
    made = storm(new + known)
    knows = frozenset(t.incident.id for t in made[:known])
    found = sort_out(made, plan(made, ROUTES, tick(1), {}), {"team": Lately(fresh=fresh, alone=knows)}, tick(1))
    told = [t.incident.id for digest in found.digests for t in digest.told]
    alone = [d.incident for d in found.decisions if d.reason is not Reason.DIGESTED]
    assert sorted([*told, *alone]) == sorted(t.incident.id for t in made)
    assert bool(told) == (new > 0 and new + fresh > MOST)


def gone_blind(count: int) -> tuple[Transition, ...]:
    """So many rules whose source cannot be asked."""
    found = (replace(assess(1, unseen=blind(1, rule=f"rule-{n}")), rule=f"rule-{n}") for n in range(count))
    return tuple(step for one in found for step in History(StepPolicy(severity=Severity.CRITICAL)).see(one))


def test_a_source_that_takes_its_rules_along_is_two_messages():
    """The first rule is told by itself, whoever is evaluated after it within minutes joins one digest."""
    first = gone_blind(1)
    assert sorted_out(first).digests == ()
    (digest,) = sorted_out(gone_blind(1), {"team": Lately(fresh=1, blind=1)}).digests
    (joined,) = sorted_out(gone_blind(1), {"team": Lately(fresh=2, blind=1, digest=digest.key)}).digests
    assert joined.key == digest.key
    (whole,) = sorted_out(gone_blind(200)).digests
    assert len(whole.joined) == 200


def test_what_is_lost_is_not_drawn_into_the_digest_of_a_dead_source():
    """A few losses beside blind rules of another source are told one by one."""
    made = (*gone_blind(2), *storm(2))
    found = sorted_out(made)
    assert {d.incident for d in found.decisions if d.reason is Reason.NEW} == {t.incident.id for t in storm(2)}


def test_rules_that_go_blind_one_after_the_other_ring_once():
    """They join what is told already, and nobody is called for each of them."""
    made = gone_blind(3)
    message = compose_digest("digest-1", 2, [t.incident for t in made], made[2:], [made[2].incident.id])
    assert not message.broadcast
