"""Incidents of a rule that is no more, and what is told of a rule file that breaks."""

from alerts.breakage import BrokenFile, broken, mended
from alerts.incidents import StepPolicy
from alerts.message import PUSH_LENGTH, RuleFacts, compose, plain_text
from alerts.model import Change, Reason, State
from alerts.plan import Routes, plan
from alerts.removal import removed
from rules.parse import parse_rules
from rules.slices import Slice
from tests.alerts.make import History, assess, blind, cause, finding, tick

RULES = """rules:
  - name: {name}
    source: lake.playback
    timestamp: at
    dimensions: [device]
    owner: recs-data
"""


def test_every_open_incident_closes_and_says_why():
    """Firing, frozen, pending, and that of the source: one step each, to those who know it, and to nobody else."""
    history = History(StepPolicy(for_=1))
    history.see(assess(1, finding()))
    history.see(assess(2, finding(), finding(cause(device="tv"))))
    history.see(assess(3, unseen=blind(3)))
    made = removed(history.incidents.values(), tick(4))
    assert [t.change for t in made] == [Change.REMOVED] * 3
    assert {(t.incident.state, t.incident.resolved_at) for t in made} == {(State.RESOLVED, tick(4))}
    known = {t.incident.id: ("team",) for t in made if t.incident.raised_at}
    decided = plan(made, Routes(), tick(4), known)
    assert sorted((d.receiver, d.reason) for d in decided) == [
        ("", Reason.NOT_NEWS),
        ("team", Reason.REMOVED),
        ("team", Reason.REMOVED),
    ]


def test_what_is_told_of_a_removed_rule_names_no_source():
    """Nobody knows it any more: the scope of its total is every event, and the sentences are whole."""
    history = History()
    history.see(assess(1, finding(Slice())))
    (made,) = removed(history.incidents.values(), tick(4))
    message = compose(made, RuleFacts(name="playback_volume", source="", place="removed"))
    assert [fact.text for fact in message.facts if fact.label == "Scope"] == ["every event"]
    assert message.title == "CLOSED playback_volume: the total is not watched any more"
    assert not any(" ." in text or "  " in text for text in (message.push, message.title, *message.summary))


def test_what_is_closed_stays_closed():
    """A second time there is nothing to close, and no step goes back in time."""
    history = History()
    history.see(assess(9, finding()))
    made = removed(history.incidents.values(), tick(2))
    assert [t.at for t in made] == [tick(9)]
    assert removed([t.incident for t in made], tick(10)) == ()


def of(text: str, *, kept: bool) -> BrokenFile:
    file = parse_rules(text, "rules/playback.yaml")
    good = parse_rules(RULES.format(name="playback_volume"), "rules/playback.yaml")
    return BrokenFile(file.file, file.problems, good.rules if kept else file.rules, kept)


def test_a_broken_file_is_told_with_its_place_and_what_goes_on():
    """Where the error is, which rules run and how, whose they are; no line of the file, for it may hold a secret."""
    text = RULES.format(name="playback_volume") + "    depth: 9\n"
    message = broken("file-1", of(text, kept=True))
    assert (
        message.push
        == "WARNING rules/playback.yaml: 1 error, rules/playback.yaml:7:12: 'depth' must be at most 3, not 9"
    )
    whole = plain_text(message)
    assert "go on as they were before: playback_volume." in whole
    assert "recs-data" in whole
    assert "depth: 9" not in whole
    assert "none. The others are not evaluated." in plain_text(broken("file-1", of(text, kept=False)))


def test_a_file_of_many_errors_makes_a_message_that_can_be_read():
    """Five are listed; names and errors of any length fit."""
    item = of("".join(f"key{n}: 1\n" for n in range(40)) + RULES.format(name="a" * 100), kept=False)
    message = broken("file-1", item)
    assert len(item.errors) == 40
    assert "and 35 more" in message.summary
    assert len(message.push) <= PUSH_LENGTH


def test_a_file_that_is_mended_ends_the_same_thread():
    """The last message of the thread names the rules in force."""
    good = parse_rules(RULES.format(name="playback_volume"), "rules/playback.yaml")
    message = mended("file-1", good.file, good.rules)
    assert (message.key, message.seq, message.state) == ("file-1", 3, State.RESOLVED)
    assert message.summary == ("Its rules are in force as they stand in the file: playback_volume.",)
