"""What a person is told about one transition, in plain words. Pure; channels render it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.absences import absent
from alerts.actions import acts_on, standing
from alerts.actions import name_of as actor_name
from alerts.incidents import FAMILIES, Family, gap
from alerts.marks import Mark, near, of_rule
from alerts.model import (
    Change,
    Evidence,
    Fact,
    Incident,
    Kind,
    Message,
    Outside,
    Reprocess,
    State,
    Stretch,
    TotalState,
    Transition,
)
from alerts.ports import Part
from alerts.reprocess import stretches_of
from alerts.wording import (
    DAY,
    HOUR,
    Clock,
    clean,
    instant,
    lasting,
    listing,
    name_of,
    noun,
    number,
    percent,
    sentence,
    shorten,
)
from rules.model import Rule, Severity
from rules.slices import Slice

PUSH_LENGTH = 150
TITLE_LENGTH = 150
SECTION_LENGTH = 2_800
MESSAGE_LENGTH = 10_000
DETAIL_LENGTH = 400
MOST_OCCASIONS = 3
MOST_STRETCHES = 3
NEARLY = 0.97
"""Share of a loss from which on it is all of it."""
TWICE = 0.05
"""How far from 2 observed over expected may be and still be twice."""
DOUBLE_LOAD = "It is twice what was expected: it looks like a double load."
ACCEPTED = "That is taken as normal from now on."
PUSH_LADDER = ((1_000, 1_000), (40, 60), (32, 45), (24, 36), (20, 28), (16, 20))
"""Lengths of the rule's name and of each slice's name to try, until the push text fits."""
TOTAL_IS = {
    TotalState.STABLE: "Total is stable.",
    TotalState.DOWN: "Total is down.",
    TotalState.UP: "Total is up.",
}
AS_IT_IS = frozenset(
    {
        Change.REPEATED,
        Change.RELEASED,
        Change.EXPIRED,
        Change.HANDED_ON,
        Change.ACKNOWLEDGED,
        Change.SNOOZED,
        Change.REOPENED,
    }
)
"""Steps whose own sentence is the news; the numbers follow it."""
ENDS = frozenset({Change.RESOLVED, Change.ACCEPTED, Change.ABSORBED, Change.REMOVED, Change.DISMISSED})
CHARTED = frozenset(
    {
        Change.OPENED,
        Change.WIDENED,
        Change.NARROWED,
        Change.RECLASSIFIED,
        Change.ESCALATED,
        Change.RELEASED,
        Change.HANDED_ON,
    }
)


@dataclass(frozen=True)
class RuleFacts:
    """What a message says about the rule itself."""

    name: str
    source: str
    place: str
    """`file:line`."""
    owner: str | None = None
    bucket: timedelta = timedelta(hours=1)
    timezone: str = "UTC"
    runbook_url: str | None = None
    query: str = ""
    """SQL to paste that returns the numbers in the warehouse."""
    marks: tuple[Mark, ...] = ()
    """What is known to have changed lately."""
    dimensions: tuple[str, ...] = ()

    @classmethod
    def of(cls, rule: Rule, query: str = "", marks: Iterable[Mark] = ()) -> RuleFacts:
        """The facts of a rule."""
        place = f"{rule.place.file}:{rule.place.line}" if rule.place.line else rule.place.file
        return cls(
            name=rule.name,
            source=rule.source.name,
            place=place,
            owner=rule.owner,
            bucket=rule.time_bucket,
            timezone=rule.timezone,
            runbook_url=rule.runbook_url,
            query=query,
            marks=of_rule(marks, rule),
            dimensions=rule.dimensions,
        )


@dataclass(frozen=True)
class _Story:
    """One transition with the words for its parts."""

    transition: Transition
    rule: RuleFacts

    @property
    def incident(self) -> Incident:
        return self.transition.incident

    @property
    def evidence(self) -> Evidence | None:
        return self.incident.evidence

    @property
    def change(self) -> Change:
        return self.transition.change

    @property
    def clock(self) -> Clock:
        return Clock(self.rule.bucket, self.rule.timezone, self.incident.tick)

    @property
    def cause(self) -> str:
        return name_of(self.incident.cause)

    @property
    def to(self) -> str:
        return name_of(self.incident.to) if self.incident.to is not None else "another value"

    @property
    def outside(self) -> Outside | None:
        """Where the loss sits outside of the rule, as far as that is known of the present cause."""
        found = self.incident.outside
        return found if found is not None and found.cause == self.incident.cause else None

    @property
    def sits(self) -> str:
        found = self.outside
        return name_of(Slice(((found.column, found.value),))) if found is not None else ""

    @property
    def source(self) -> str:
        return clean(self.rule.source)

    @property
    def about_source(self) -> bool:
        return FAMILIES[self.incident.kind] is Family.SOURCE

    @property
    def over(self) -> bool:
        return self.change in ENDS

    @property
    def action(self) -> bool:
        """Whether this tells what a person did, and nothing new about the slice."""
        return self.change in {Change.ACKNOWLEDGED, Change.SNOOZED, Change.REOPENED, Change.DISMISSED}

    @property
    def came_late(self) -> bool:
        """Whether this tells that what was missing has arrived."""
        return self.change is Change.AMENDED or (self.change is Change.RESOLVED and self.incident.late)

    def amount(self, value: float) -> str:
        """`812k events`."""
        return f"{number(value)} {noun(self.incident.metric, value)}"

    @property
    def span(self) -> str:
        return self.clock.span(self.incident.since, self.incident.until)


def compose(transition: Transition, rule: RuleFacts) -> Message:
    """The message of one transition. Sections and the whole stay within the caps above."""
    story = _Story(transition, rule)
    incident, evidence = transition.incident, transition.incident.evidence
    charted = evidence is not None and transition.change in CHARTED
    facts = tuple(f for f in _facts(story) if f.text)
    # Of a rule that is no more nothing can be worked out again.
    why = "" if transition.change is Change.REMOVED else f" · why: slicewatch explain {incident.id}"
    footer = f"Incident {incident.id}{why}"
    title = shorten(f"{_word(story)} {clean(rule.name, 60)}: {_headline(story)}", TITLE_LENGTH)
    query = rule.query if len(rule.query) <= SECTION_LENGTH else ""
    left = MESSAGE_LENGTH - len(title) - len(footer) - len(query) - sum(len(f.label + f.text) for f in facts)
    return Message(
        key=incident.id,
        seq=incident.seq,
        rule=incident.rule,
        change=transition.change,
        state=incident.state,
        severity=incident.severity,
        push=_push(story),
        title=title,
        summary=_capped(_summary(story), left),
        facts=facts,
        footer=footer,
        cause=incident.cause,
        query=query,
        runbook_url=rule.runbook_url,
        broadcast=to_channel(transition),
        chart=evidence.series if evidence is not None and charted else None,
        total_chart=evidence.total_series if evidence is not None and charted else None,
        since=incident.since,
        marks=tuple((mark.at, mark.text) for mark in rule.marks) if charted else (),
        reprocess=_reprocess(story),
        acts=acts_on(incident),
    )


def parts_of(message: Message) -> tuple[Part, ...]:
    """The outbox items of a message: its text, a chart where there is one to draw, a file where something was lost."""
    also = ((Part.CHART, message.chart), (Part.FILE, message.reprocess))
    return (Part.TEXT, *(part for part, content in also if content is not None))


def small_print(message: Message, carried: str = "") -> str:
    """The footer, and where what to load again is to be had as CSV: `carried` there, else from the command line."""
    if message.reprocess is None:
        return message.footer
    return f"{message.footer} · CSV to reprocess: {carried or f'slicewatch explain {message.key} --csv'}"


def plain_text(message: Message, carried: str = "") -> str:
    """The whole message without any mark-up, for terminals and channels that refuse the rich form.

    `carried` says where a channel puts the CSV, where it carries files.
    """
    width = max((len(f.label) for f in message.facts), default=0)
    blocks = [message.title, *message.summary]
    if message.facts:
        blocks.append("\n".join(f"  {f.label:<{width}}  {f.text}" for f in message.facts))
    if message.query:
        blocks.append("To see the numbers:\n" + "\n".join(f"  {line}" for line in message.query.splitlines()))
    if message.runbook_url:
        blocks.append(f"Runbook: {clean(message.runbook_url, 500)}")
    if message.page_url:
        blocks.append(f"Open: {message.page_url}")
    return "\n\n".join([*blocks, small_print(message, carried)])


def to_channel(transition: Transition) -> bool:
    """Whether the whole channel hears of a step, not only who follows the incident's thread."""
    incident, before = transition.incident, transition.gap_before
    match transition.change:
        case Change.ESCALATED | Change.RELEASED | Change.EXPIRED | Change.HANDED_ON:
            return True
        case Change.WIDENED:
            return before is not None and gap(incident) > 2 * before
        case Change.RESOLVED:
            return incident.severity is Severity.CRITICAL
    return False


# --- push ------------------------------------------------------------------------------------------------------


def _push(story: _Story) -> str:
    """At most 150 characters; names give way first, then the last sentence, then the time."""
    pieces: Sequence[str] = ()
    for rule_length, slice_length in PUSH_LADDER:
        head = f"{_word(story)} {clean(story.rule.name, rule_length)}:"
        pieces = (head, *_push_pieces(story, slice_length))
        text = _joined(pieces)
        if len(text) <= PUSH_LENGTH:
            return text
    while len(pieces) > 2 and len(_joined(pieces)) > PUSH_LENGTH:
        pieces = pieces[:-1]
    return shorten(_joined(pieces), PUSH_LENGTH)


def _joined(pieces: Sequence[str]) -> str:
    return " ".join(p for p in pieces if p)


def _push_pieces(story: _Story, length: int) -> tuple[str, ...]:
    """What follows the rule's name, most important first."""
    if story.change is Change.REMOVED:
        return (f"its rule was removed, nobody follows {shorten(_watched(story), length)} any more.",)
    if story.action:
        did = story.transition.because.removeprefix(f"{story.change.value} ")
        return (f"{shorten(_watched(story), length)},", f"{did}.")
    if story.about_source:
        return _push_source(story, length)
    cause, to = shorten(story.cause, length), shorten(story.to, length)
    if story.change is Change.ABSORBED:
        return (f"{cause} is", shorten(f"{story.incident.resolution}.", 2 * length))
    if story.change is Change.ACCEPTED:
        return (f"{cause} {_verb(story)}", f"since {story.clock.moment(story.incident.since)}.", ACCEPTED)
    if story.came_late:
        return _push_late(story, cause)
    if story.change is Change.RESOLVED:
        return _push_resolved(story, cause, to)
    numbers = f"{story.amount(story.incident.observed)} (expected {number(story.incident.expected)})"
    since = f"since {story.clock.moment(story.incident.since)}."
    total = TOTAL_IS[story.evidence.total_state] if story.evidence is not None else ""
    if story.change is Change.LOCATED and story.outside is not None:
        share = "All" if story.outside.share > NEARLY else percent(story.outside.share, 1.0)
        return (_push_subject(story, cause, to), numbers, since, f"{share} of it is in {shorten(story.sits, length)}.")
    return (_push_subject(story, cause, to), numbers, since, total)


def _push_subject(story: _Story, cause: str, to: str) -> str:
    now = "now " if story.change in {Change.WIDENED, Change.NARROWED} else ""
    now = "still " if story.change in {Change.REPEATED, Change.EXPIRED, Change.HANDED_ON} else now
    match story.incident.kind:
        case Kind.MOVED:
            return f"{now}{cause} moved to {to}:"
        case Kind.RENAMED:
            return f"{now}{cause} is now {to}:"
        case Kind.NEW:
            return f"{cause} is new:"
    return f"{now}{cause}:" if not story.incident.cause.terms else f"{now}{cause}"


def _push_source(story: _Story, length: int) -> tuple[str, ...]:
    source, since = shorten(story.source, length), story.clock.moment(story.incident.since)
    if story.over:
        return (f"{source} {_again(story)}.", f"It was silent since {since}.")
    if story.incident.kind is Kind.LATE:
        return (f"{source} is late", f"since {since}.", "Nothing is judged until it has caught up.")
    why = sentence(story.incident.detail, min(length, DETAIL_LENGTH)) if story.incident.detail else ""
    return (f"cannot read {source}", f"since {since}" + (":" if why else "."), why)


def _again(story: _Story) -> str:
    return "has caught up" if story.incident.kind is Kind.LATE else "answers again"


def _push_late(story: _Story, cause: str) -> tuple[str, ...]:
    """What was told as lost has come."""
    incident = story.incident
    came = f"{number(incident.observed)} of {number(incident.expected)} expected {noun(incident.metric)}"
    return (f"{cause} was late, not lost:", came, f"{story.span} have arrived.")


def _push_resolved(story: _Story, cause: str, to: str) -> tuple[str, ...]:
    match story.incident.kind:
        case Kind.RENAMED:
            return (f"{cause} is now {to},", "which inherits its history.")
        case Kind.MOVED:
            amount = story.amount(gap(story.incident))
            return (f"{cause} is back.", f"{amount} came as {to}", f"{story.span}.")
        case Kind.SPIKE:
            return (f"{cause} is back to normal.", f"{story.amount(gap(story.incident))} too many", f"{story.span}.")
    if story.incident.observed >= story.incident.expected:
        return (f"{cause} is back.", "Nothing is missing any more.")
    return (f"{cause} is back.", f"Lost {story.amount(gap(story.incident))}", f"{story.span}.")


# --- title -----------------------------------------------------------------------------------------------------


def _word(story: _Story) -> str:
    """The state in one word: the severity while it lasts."""
    if story.change in {Change.ABSORBED, Change.REMOVED, Change.DISMISSED}:
        return "CLOSED"
    if story.change in {Change.ACKNOWLEDGED, Change.SNOOZED}:
        return story.change.value.upper()
    if story.change is Change.ACCEPTED:
        return "ACCEPTED"
    if story.change is Change.AMENDED:
        return "AMENDED"
    return "RESOLVED" if story.change is Change.RESOLVED else story.incident.severity.value.upper()


def _watched(story: _Story) -> str:
    """What the rule looked at when it was removed."""
    if story.about_source:
        return "its source"
    return story.cause if story.incident.cause.terms else "the total"


def _headline(story: _Story) -> str:
    if story.change is Change.REMOVED:
        return f"{_watched(story)} is not watched any more"
    if story.change is Change.DISMISSED:
        return f"{_watched(story)} is no problem"
    if story.about_source:
        return _headline_source(story)
    if story.change is Change.ABSORBED:
        return f"{story.cause} is part of a wider incident"
    if story.came_late:
        return f"{story.cause} was late, not lost"
    if story.change is Change.RESOLVED and story.incident.kind is not Kind.RENAMED:
        return f"{story.cause} is back to normal"
    return f"{story.cause} {_verb(story)}" if story.incident.cause.terms else _headline_total(story)


def _headline_total(story: _Story) -> str:
    what = noun(story.incident.metric)
    if story.incident.kind is Kind.DROP and story.incident.observed == 0:
        return f"no {what} at all"
    return f"{what} {_verb(story)} everywhere"


def _headline_source(story: _Story) -> str:
    if story.over:
        return f"{story.source} {_again(story)}"
    late = story.incident.kind is Kind.LATE
    return f"{story.source} is late" if late else f"{story.source} cannot be read"


def _verb(story: _Story) -> str:
    """What happened to the slice."""
    incident = story.incident
    match incident.kind:
        case Kind.MOVED:
            return f"moved to {story.to}"
        case Kind.RENAMED:
            return f"is now {story.to}"
        case Kind.NEW:
            return "is new"
        case Kind.SPIKE:
            return f"rose by {percent(gap(incident), incident.expected)}" if incident.expected >= 1 else "appeared"
    return "stopped" if incident.observed == 0 else f"dropped by {percent(gap(incident), incident.expected)}"


# --- summary ---------------------------------------------------------------------------------------------------


def _summary(story: _Story) -> list[str]:
    if story.change is Change.REMOVED:
        first = f"The rule {clean(story.rule.name)} is in no rule file any more."
        return [f"{first} Nobody follows {_watched(story)} from here on, and whether it is over is not known."]
    if story.change is Change.DISMISSED:
        return [f"{_capital(story.transition.because)}."]
    if story.about_source:
        return _summary_source(story)
    if story.change is Change.ABSORBED:
        return [f"{story.cause} is {story.incident.resolution}. Its news come there from now on."]
    if story.change is Change.ACCEPTED:
        return _summary_accepted(story)
    if story.came_late:
        return _summary_late(story)
    if story.change is Change.RESOLVED:
        return _summary_resolved(story)
    if story.change is Change.LOCATED:
        # First, for it is all that a thread's followers read of it.
        return [_outside(story), _numbers(story), _elsewhere(story), _total(story), _children(story)]
    told = [_numbers(story), _outside(story), _elsewhere(story), _total(story), _children(story)]
    return [*_before(story), *told]


def _summary_source(story: _Story) -> list[str]:
    incident = story.incident
    if story.over:
        return [
            f"{story.source} {_again(story)}. It could not be judged {story.span}; what came meanwhile is judged now."
        ]
    why = f": {sentence(incident.detail, DETAIL_LENGTH)}" if incident.detail else "."
    first, then = f"{story.source} could not be asked{why}", "it answers"
    if incident.kind is Kind.LATE:
        first, then = f"The data of {story.source} is late{why}", "it has caught up"
    return [
        *_before(story),
        first,
        f"Nothing is judged until {then}; what was wrong before is neither better nor worse, only unknown.",
    ]


def _summary_late(story: _Story) -> list[str]:
    incident = story.incident
    came = f"{number(incident.observed)} of {number(incident.expected)} expected {noun(incident.metric)}"
    told = f"{came} of {story.cause} {story.span} have arrived by now: what was missing was late, not lost."
    if not story.over and incident.resolved_at is None:
        return [told, "The newest events are still short; they may be late as well."]
    return [told]


def _summary_resolved(story: _Story) -> list[str]:
    incident = story.incident
    if incident.kind is Kind.RENAMED:
        return [f"{story.to} carries what was {story.cause} and inherits its history. Nothing else is to be done."]
    missing = story.amount(gap(incident))
    told = f"{story.cause} had {number(incident.observed)} of {number(incident.expected)} expected {noun(incident.metric)} {story.span}"
    match incident.kind:
        case Kind.SPIKE:
            return [f"{story.cause} is back to normal.", f"{_capital(story.span)} it had {missing} more than expected."]
        case Kind.MOVED:
            return [f"{story.cause} is back to normal.", f"{told}; {missing} came as {story.to}."]
    if incident.observed >= incident.expected:
        return [f"{story.cause} is back to normal.", f"{told}: nothing is missing any more."]
    lost = f"{told}: {missing} are lost ({percent(gap(incident), incident.expected)})."
    return [f"{story.cause} is back to normal.", lost]


def _summary_accepted(story: _Story) -> list[str]:
    incident = story.incident
    told = f"{story.cause} {_verb(story)}, and {incident.resolution}."
    numbers = f"{number(incident.observed)} of {number(incident.expected)} expected {noun(incident.metric)}"
    since = f"Since {story.clock.moment(incident.since)} it had {numbers}. Nothing came back."
    then = "Nothing more is said of it: what it has now is what is expected of it from here on."
    return [told, since, then]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _before(story: _Story) -> Iterator[str]:
    """How this differs from what was told before, or that it does not."""
    incident, because = story.incident, story.transition.because
    match story.change:
        case Change.RECLASSIFIED:
            yield f"On a closer look: {story.cause} {_verb(story)}."
        case Change.ESCALATED:
            yield f"{_capital(incident.severity.value)} from now on: {because}."
        case change if change in AS_IT_IS:
            yield f"{_capital(because)}."
        case Change.WIDENED | Change.NARROWED if incident.causes:
            how = "Wider" if story.change is Change.WIDENED else "Narrower"
            yield f"{how} than before: it is {story.cause}, not {name_of(incident.causes[-1].slice)}."


def _numbers(story: _Story) -> str:
    incident, evidence = story.incident, story.evidence
    told = (
        f"{story.cause} had {story.amount(incident.observed)} {story.span}; {number(incident.expected)} were expected"
    )
    if not incident.cause.terms:
        told = f"There were {story.amount(incident.observed)} {story.span}; {number(incident.expected)} were expected"
    if evidence is None:
        return f"{told}."
    band = f" ({number(evidence.low)} to {number(evidence.high)} would be normal)"
    return f"{told}{band}.{_last_seen(story, evidence)}"


def _last_seen(story: _Story, evidence: Evidence) -> str:
    if story.incident.observed > 0 or evidence.last_seen is None:
        return ""
    seen = story.clock.span(evidence.last_seen, evidence.last_seen + story.rule.bucket)
    return f" The last ones came {seen}."


def _outside(story: _Story) -> str:
    """Where the loss sits that the rule cannot see."""
    found = story.outside
    if found is None:
        return ""
    span = story.clock.span(found.since, found.until)
    figures = f"{story.amount(found.observed)} there {span}, where {number(found.expected)} would be usual"
    held = f"The other values of {clean(found.column)} hold"
    return f"{_share(found)} is in {story.sits}, which the rule does not watch: {figures}. {held}."


def _share(found: Outside) -> str:
    return "All of the loss" if found.share > NEARLY else f"Most of the loss ({percent(found.share, 1.0)})"


def _elsewhere(story: _Story) -> str:
    match story.incident.kind:
        case Kind.NEW:
            return "It was never seen before. It is told once, and learned from here on."
        case Kind.MOVED:
            return f"{story.to} gained what {story.cause} lost, from the same time on: it arrives under another value."
        case Kind.RENAMED:
            return f"{story.to} was never seen before and carries what {story.cause} lost: it looks renamed."
        case Kind.SPIKE if story.incident.cause.terms and _doubled(story.incident):
            return DOUBLE_LOAD
    return ""


def _total(story: _Story) -> str:
    incident, evidence = story.incident, story.evidence
    if not incident.cause.terms:
        return _whole(story)
    if evidence is None:
        return ""
    figures = f"({number(evidence.total.observed)}, expected {number(evidence.total.expected)})"
    told = f"The total is {evidence.total_state.value} {figures}"
    if incident.kind is not Kind.DROP or evidence.total_state is TotalState.DOWN:
        return f"{told}."
    if not evidence.grew:
        return f"{told}: the loss is too small to show in it."
    return f"{told}: the loss is hidden in the total. What grew: {listing(evidence.grew, change=True)}."


def _whole(story: _Story) -> str:
    """The cause is everything."""
    if story.incident.kind is Kind.SPIKE:
        rose = "No slice explains it: everything rose together."
        return f"{rose} {DOUBLE_LOAD}" if _doubled(story.incident) else rose
    if story.incident.observed == 0:
        return f"Either {story.source} stopped, or everything was lost: no slice is left to compare with."
    return "No slice explains it: everything fell together."


def _doubled(incident: Incident) -> bool:
    """Whether whole days came about twice: what a load that ran twice looks like, and people hardly ever do."""
    whole_days = incident.until - incident.since >= DAY
    return whole_days and incident.expected > 0 and abs(incident.observed / incident.expected - 2.0) <= TWICE


def _children(story: _Story) -> str:
    evidence = story.evidence
    if evidence is None or not evidence.children:
        return ""
    return f"Explained by it: {listing(evidence.children, evidence.children_count, change=True)}."


def _capped(paragraphs: Iterable[str], left: int) -> tuple[str, ...]:
    """Paragraphs that are not empty, each within a section, all within what is left of the message."""
    kept: list[str] = []
    for paragraph in paragraphs:
        limit = min(SECTION_LENGTH, left)
        if paragraph and limit > 1:
            kept.append(shorten(paragraph, limit))
            left -= len(kept[-1])
    return tuple(kept)


# --- facts -----------------------------------------------------------------------------------------------------


def _facts(story: _Story) -> list[Fact]:
    rule = Fact("Rule", f"{clean(story.rule.name)} ({clean(story.rule.place, 200)})")
    owner = Fact("Owner", clean(story.rule.owner or ""))
    if story.about_source:
        return [Fact("Source", story.source), *_times(story), *_hush(story), owner, rule]
    if story.over or story.came_late:
        return [Fact("Scope", _scope(story)), *_times(story), *_aftermath(story), owner, rule]
    return [
        Fact("Scope", _scope(story)),
        Fact("Impact", _impact(story)),
        *_times(story),
        *_hush(story),
        Fact(*_so_far(story)),
        Fact("Not affected", _fine(story)),
        Fact("Calendar", _occasions(story)),
        *_changes(story),
        owner,
        rule,
    ]


def _scope(story: _Story) -> str:
    every = f"every event of {story.source}" if story.source else "every event"
    names = [story.cause if story.incident.cause.terms else every]
    names += [f"also {name_of(item)}" for item in story.incident.also[:3]]
    return ", ".join(names)


def _impact(story: _Story) -> str:
    incident, evidence = story.incident, story.evidence
    if incident.expected < 1:
        return f"{story.amount(gap(incident))}, where none were expected"
    of_it = f"{percent(gap(incident), incident.expected)} of {story.cause}"
    if not incident.cause.terms:
        return f"{percent(gap(incident), incident.expected)} of all {noun(incident.metric)}"
    if evidence is None or evidence.total.expected <= 0:
        return of_it
    return f"{of_it}, {percent(gap(incident), evidence.total.expected)} of all {noun(incident.metric)}"


def _times(story: _Story) -> list[Fact]:
    facts = [_time(story, "Since", story.incident.since)]
    if story.over and story.change not in {Change.ABSORBED, Change.REMOVED}:
        facts.append(_time(story, "Until", story.incident.until))
    if story.incident.absence is not None and story.change is not Change.RELEASED:
        facts.append(Fact("Found late", absent(story.incident.absence)))
    return facts


def _time(story: _Story, label: str, at: datetime) -> Fact:
    clock = story.clock
    if not clock.daily:
        return Fact(label, clock.full(at), at)
    return Fact(label, clock.full(at - story.rule.bucket / 2 if label == "Until" else at))


def _hush(story: _Story) -> Iterator[Fact]:
    """Who has acknowledged or snoozed it, and until when."""
    incident, hush = story.incident, story.incident.hush
    if hush is None or story.over:
        return
    label = "Snoozed" if standing(incident) is State.SNOOZED else "Acknowledged"
    until = "until it is over" if hush.until is None else f"until {instant(hush.until)}"
    yield Fact(label, f"by {actor_name(hush.by)} {until}")


def _so_far(story: _Story) -> tuple[str, str]:
    amount = story.amount(gap(story.incident)) + _rate(story)
    match story.incident.kind:
        case Kind.NEW:
            return "So far", amount
        case Kind.SPIKE:
            return "Too many so far", amount
        case Kind.MOVED | Kind.RENAMED:
            return "Gone elsewhere so far", amount
    return "Lost so far", amount


def _rate(story: _Story) -> str:
    """What is missing each hour, or day of a rule of days; "" while it is one of them."""
    incident, unit = story.incident, DAY if story.clock.daily else HOUR
    units = (incident.until - incident.since) / unit
    named = "day" if story.clock.daily else "hour"
    return f", {number(gap(incident) / units)} {'a' if named == 'day' else 'an'} {named}" if units > 1.5 else ""


def _fine(story: _Story) -> str:
    return listing(story.evidence.fine, change=False) if story.evidence is not None else ""


def _changes(story: _Story) -> list[Fact]:
    """What is known to have changed at about the time at which it began, the nearest first."""
    since, bucket = story.incident.since, story.rule.bucket
    return [
        Fact("Known change", f"{mark.text}, {_apart(mark.at, since)}") for mark in near(story.rule.marks, since, bucket)
    ]


def _apart(at: datetime, since: datetime) -> str:
    """`20 minutes before` the first bad bucket began, or in it."""
    return f"{lasting(since - at)} before" if at < since else "as it began"


def _occasions(story: _Story) -> str:
    """Holidays and planned events of the stretch."""
    names = story.evidence.occasions if story.evidence is not None else ()
    more = len(names) - MOST_OCCASIONS
    listed = ", ".join(clean(name, 60) for name in names[:MOST_OCCASIONS])
    return f"{listed}{f' and {more} more' if more > 0 else ''}: taken into account" if listed else ""


def _aftermath(story: _Story) -> list[Fact]:
    """What was lost, and what to run again."""
    incident = story.incident
    if incident.kind is not Kind.DROP or incident.observed >= incident.expected:
        return []
    if story.came_late:
        return [Fact("Still missing", story.amount(gap(incident)))]
    if story.change is not Change.RESOLVED:
        return []
    return [Fact("Lost", story.amount(gap(incident))), Fact("To reprocess", _again_text(story))]


def _again_text(story: _Story) -> str:
    """The stretches to load again, the oldest ones."""
    stretches = stretches_of(story.incident)
    more = len(stretches) - MOST_STRETCHES
    told = "; ".join(_stretch_text(story, stretch) for stretch in stretches[:MOST_STRETCHES])
    return f"{told}; and {more} more" if more > 0 else told


def _stretch_text(story: _Story, stretch: Stretch) -> str:
    scope = _scope(story) if stretch.slice == story.incident.cause else name_of(stretch.slice)
    return f"{scope}, {story.clock.iso(stretch.since, stretch.until)}"


def _reprocess(story: _Story) -> Reprocess | None:
    """What to load again; None while it goes on, and where nothing is missing."""
    incident = story.incident
    missing = incident.kind is Kind.DROP and incident.observed < incident.expected
    stretches = stretches_of(incident)
    if story.change is not Change.RESOLVED or story.came_late or not missing or not stretches:
        return None
    return Reprocess(story.rule.source, incident.metric, story.rule.dimensions, stretches)
