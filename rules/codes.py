"""The codes of problems: what each says, and what may be done about it. Each has a page in docs/checks/."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """One kind of problem. What is `online` is seen only when sources are asked; a `warning` may be suppressed."""

    name: str
    meaning: str
    warning: bool = False
    online: bool = False
    about_suppressing: bool = False

    @property
    def suppressible(self) -> bool:
        """Whether a comment may silence it."""
        return self.warning and not self.about_suppressing


_OF_THE_TEXT = (
    Code("syntax", "The text is not YAML, or not TOML."),
    Code("unreadable", "The file cannot be read."),
    Code("too-large", "The file stands for more values than anybody writes."),
    Code("empty", "Something stands there without a content."),
    Code("duplicate-key", "A key is given twice in one mapping."),
    Code("unknown-key", "A key that nothing reads."),
    Code("missing-key", "A key without which there is nothing to do."),
    Code("wrong-type", "A list where a word is meant, or the like."),
    Code("unknown-value", "A word that is none of those the key knows."),
    Code("bad-value", "A value outside of what the key can mean."),
    Code("bad-version", "The file is written for another version of the language."),
    Code("not-yet-available", "A part of the language that is planned and does not work yet."),
    Code("no-effect", "A key that changes nothing in this rule.", warning=True),
    Code(
        "bad-suppression",
        "A comment is meant to suppress something and does not.",
        warning=True,
        about_suppressing=True,
    ),
    Code("unused-suppression", "A comment suppresses what is not told.", warning=True, about_suppressing=True),
)

_OF_A_RULE = (
    Code("bad-name", "A name that cannot be an identity."),
    Code("duplicate-name", "Two rules have one name."),
    Code("bad-source", "The rule names no table, or one too many."),
    Code("bad-query", "The query is not one SELECT."),
    Code("bad-where", "The condition is not one boolean expression."),
    Code("bad-duration", "A length of time that cannot be read, or does not fit."),
    Code("bad-time", "A moment that cannot be read."),
    Code("bad-interval", "A stretch of time that cannot be read, or ends before it begins."),
    Code("bad-cron", "A cron expression that cannot be read."),
    Code("bad-timezone", "A time zone that does not exist."),
    Code("same-time", "The time of arrival is the time of the event."),
    Code("time-as-dimension", "The rule slices by a time."),
    Code("duplicate-dimension", "A dimension is named twice."),
    Code("duplicate-metric", "A metric is named twice."),
    Code("duplicate-value", "A value is named twice in one list."),
    Code("unknown-dimension", "A slice is written with a dimension that the rule does not have."),
    Code("unknown-metric", "A metric that does not exist, or that the rule does not have."),
    Code("unknown-rule", "A rule is named that does not exist."),
    Code("name-taken", "A rule was what another rule is, or was too."),
    Code("inhibition-cycle", "Rules that hold back each other."),
    Code("unknown-country", "There is no calendar of holidays for the code."),
    Code("contradiction", "Two values of the rule exclude each other."),
    Code("impossible", "With these values the rule could never tell anything."),
    Code("secret-in-rule", "A secret stands in a file that many read."),
    Code("short-lookback", "The lookback shows the weekly pattern less than twice.", warning=True),
    Code("depth-beyond", "The depth is more than there are dimensions.", warning=True),
    Code("late-schedule", "Short buckets are judged long after they are over.", warning=True),
    Code("constant-where", "The condition holds for every event, or for none.", warning=True),
    Code("null-comparison", "A comparison with NULL, which holds for no event.", warning=True),
    Code("moving-where", "What the condition selects depends on when it is asked.", warning=True),
    Code("limited-query", "The query returns only some of its rows.", warning=True),
    Code("watched-twice", "Two rules watch the same.", warning=True),
    Code("no-owner", "A critical rule belongs to nobody.", warning=True),
    Code("no-runbook", "A critical rule has no runbook where others have one.", warning=True),
)

_OF_THE_SETTINGS = (
    Code("plain-secret", "A secret stands in slicewatch.toml itself."),
    Code("missing-secret", "A variable or a file that a secret is read from is not there."),
    Code("unknown-kind", "A source or receiver of a kind that does not exist."),
    Code("unknown-source", "The rule names a source that slicewatch.toml does not have."),
    Code("unknown-table", "The rule names a table that its source does not have."),
    Code("unknown-detector", "The rule names a detector that nobody brings."),
    Code("unknown-receiver", "A receiver that slicewatch.toml does not have."),
    Code("nobody-told", "Nobody is told of the rule's incidents.", warning=True),
    Code("unused-source", "A source of slicewatch.toml that no rule reads.", warning=True),
    Code("unused-receiver", "A receiver of slicewatch.toml that nobody names.", warning=True),
    Code("degraded-receiver", "A receiver that can neither edit nor thread.", warning=True),
    Code("no-rule-files", "A pattern of `rules` names no file.", warning=True),
)

_OF_THE_EVENTS = (
    Code("unreachable", "The source could not be asked.", online=True),
    Code("refused", "The source does not accept the question.", online=True),
    Code("scan-too-large", "A query would read more than `max_scan`.", online=True),
    Code("unknown-column", "The table has no such column.", online=True),
    Code("wrong-column-type", "The column cannot be used for what the rule does with it.", online=True),
    Code("receiver-refused", "The receiver would not take a message.", online=True),
    Code("receiver-unreachable", "The receiver could not be asked.", online=True),
    Code("folded-slices", "There are more combinations than are kept apart.", warning=True, online=True),
    Code("never-seen", "An expected value does not occur.", warning=True, online=True),
    Code("too-many-slices", "The detector cannot judge so many slices.", online=True),
    Code("empty-table", "There are no events to learn from.", warning=True, online=True),
    Code("future-time", "The last event is of a time to come.", warning=True, online=True),
)

CODES: dict[str, Code] = {
    code.name: code for group in (_OF_THE_TEXT, _OF_A_RULE, _OF_THE_SETTINGS, _OF_THE_EVENTS) for code in group
}
"""All of them, in the order of the index."""

GROUPS: dict[str, tuple[Code, ...]] = {
    "The text": _OF_THE_TEXT,
    "The rule": _OF_A_RULE,
    "The settings, and how rules fit to them": _OF_THE_SETTINGS,
    "The events (`check --online`)": _OF_THE_EVENTS,
}
"""As the index of docs/checks/ lists them."""
