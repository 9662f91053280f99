"""What each kind of receiver can do with a message, in words that a table shows and a program asks."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

NO = "no"


@dataclass(frozen=True)
class Abilities:
    """Each field is NO, or how it is done."""

    edits: str = NO
    """What was told is brought up to date in its place."""
    threads: str = NO
    """What follows hangs under the first message."""
    chart: str = NO
    file: str = NO
    """What to load again, as CSV."""
    answers: str = NO
    """What people do there comes back."""
    repeats: str = NO
    """By what a message is known that was sent twice, after an answer that never came."""

    @property
    def degraded(self) -> bool:
        """Whether an incident's messages stand there one by one, and stay as they were."""
        return self.edits == self.threads == self.repeats == NO


ABILITIES = {
    "slack": Abilities(
        "the first message",
        "in its thread",
        "in the thread",
        "in the thread",
        "buttons, `/slicewatch`",
        "looked for first",
    ),
    "slack-webhook": Abilities(),
    "pagerduty": Abilities("the alert", "the alert's log", NO, NO, "acknowledged, resolved", "dedup_key"),
    "email": Abilities(NO, "In-Reply-To", "in the mail", "attached", NO, "Message-ID"),
    "webhook": Abilities(NO, "incident", "its numbers", "its numbers", NO, "id"),
    "alertmanager": Abilities("the alert", NO, NO, NO, NO, "labels"),
    "apprise": Abilities(),
    "console": Abilities(),
}
"""By kind of receiver."""


def table() -> str:
    """All of them as a table in Markdown."""
    heads = ("kind", *(field.name for field in fields(Abilities)))
    rows = [(f"`{kind}`", *astuple(able)) for kind, able in ABILITIES.items()]
    lines = [f"| {' | '.join(row)} |" for row in (heads, tuple("---" for _ in heads), *rows)]
    return "\n".join(lines)
