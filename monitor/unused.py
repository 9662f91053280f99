"""What the operators set up and no rule uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.settings import Settings
from rules.model import Rule
from rules.problem import Problem


def unused(settings: Settings, rules: Sequence[Rule]) -> Iterator[Problem]:
    """Sources that no rule reads and receivers that nobody names, as warnings. `rules` are all there are."""
    read = {rule.source.source for rule in rules}
    for source in settings.sources:
        if source.name not in read:
            hint = f"`slicewatch suggest {source.name}.TABLE` writes a rule; or remove it"
            message = f"no rule reads the source {source.name}"
            yield source.span.problem("unused-source", message, hint, "warning")
    if any(not rule.notify and not settings.fallback for rule in rules) and not settings.routes:
        return  # told as nobody-told: the receiver is there, and it is not said whom it is for
    named = {word for rule in rules for _, words in rule.notify for word in words}
    told = {receiver.name for word in named if (receiver := settings.receiver(word))} | {settings.fallback}
    told |= {name for route in settings.routes for name in route.notify}
    told |= {name for policy in settings.policies for name in (policy.outside, policy.escalate_to)}
    for receiver in settings.receivers:
        if receiver.name not in told:
            message, hint = f"no rule tells the receiver {receiver.name}", "name it in 'notify', or remove it"
            yield receiver.span.problem("unused-receiver", message, hint, "warning")
