"""Whether receivers can be reached, asked without sending anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alerts.model import SendError
from alerts.ports import Askable, Notifier
from monitor.settings import MissingSecretError, ReceiverSettings, Settings, SettingsError
from rules.problem import Problem

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
        message, hint = f"{receiver.name} would refuse messages: {error}", "mend its token, or the app's rights"
        return Reached((receiver.span.problem("receiver-refused", message, hint),))
    problem = receiver.span.problem("receiver-unreachable", f"{receiver.name} could not be asked: {error}")
    return Reached((problem,), asked=False)
