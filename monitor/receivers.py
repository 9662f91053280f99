"""Whether receivers can be reached, asked without sending anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alerts.model import SendError
from alerts.ports import Askable, Notifier
from monitor.settings import MissingSecretError, ReceiverSettings, Settings, SettingsError
from rules.problem import Problem

MENDING = {
    "slack": "mend its token or the app's rights, and /invite the app to its channel",
    "slack-webhook": "make a new webhook for a channel that exists, and put its URL in place of the old one",
    "pagerduty": "take the integration key of an Events API v2 integration of a service that is not disabled",
    "email": "see that host, port, security, username and password are the server's, and that it knows the addresses",
    "webhook": "see that url, token and secret are what the program expects",
    "alertmanager": "see that url is the address up to /api, and that username, password or token are right",
    "apprise": "see that the URL is one that Apprise knows, and that its service still exists",
}
"""What to do where a kind of receiver will never take a message as things are."""

OpenNotifier = Callable[[ReceiverSettings], Notifier]
"""Opens the notifier of a receiver; raises `MissingSecretError`."""


@dataclass(frozen=True)
class Reached:
    """What came of asking one receiver; `asked` is False where nobody answered."""

    problems: tuple[Problem, ...] = ()
    asked: bool = True


def ask_receivers(settings: Settings, opener: OpenNotifier) -> tuple[Reached, ...]:
    """Each receiver of the operators' file, in its order. A missing secret is told elsewhere, and asks nobody."""
    return tuple(_ask(receiver, opener) for receiver in settings.receivers)


def _ask(receiver: ReceiverSettings, opener: OpenNotifier) -> Reached:
    try:
        notifier = opener(receiver)
        if isinstance(notifier, Askable):
            notifier.ask()
    except MissingSecretError:
        return Reached(asked=False)
    except SettingsError as error:
        return Reached(error.problems)
    except SendError as error:
        return _failed(receiver, error)
    return Reached()


def _failed(receiver: ReceiverSettings, error: SendError) -> Reached:
    """An answer that no retry changes is a mistake in the settings; no answer says nothing about them."""
    if error.permanent:
        message, hint = f"{receiver.name} would refuse messages: {error}", advice(receiver.kind, error)
        return Reached((receiver.span.problem("receiver-refused", message, hint),))
    problem = receiver.span.problem("receiver-unreachable", f"{receiver.name} could not be asked: {error}")
    return Reached((problem,), asked=False)


def advice(kind: str, error: SendError) -> str:
    """What to do about a receiver that did not take a message."""
    if error.permanent or error.refused:
        return MENDING.get(kind, "mend its settings")
    if error.retry_after is not None:
        return f"it has enough for now: try again in {error.retry_after:.0f} seconds"
    if error.unknown:
        return "it may have arrived all the same: look there; if it has not, the receiver is slow or goes away"
    return (
        "see that its address is right, that it is up, and that this machine may reach it (HTTPS_PROXY names a proxy)"
    )
