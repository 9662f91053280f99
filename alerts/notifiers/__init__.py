"""One channel per file; each implements `alerts.ports.Notifier`.

A channel is named by import string and imported when a receiver uses it, so that a library that is not used is
not loaded. Add yours to `KINDS`.
"""

from __future__ import annotations

from importlib import import_module

from alerts.ports import Notifier

KINDS = {
    "alertmanager": "alerts.notifiers.alertmanager:AlertmanagerNotifier",
    "apprise": "alerts.notifiers.apprise:AppriseNotifier",
    "console": "alerts.notifiers.console:ConsoleNotifier",
    "email": "alerts.notifiers.email:EmailNotifier",
    "pagerduty": "alerts.notifiers.pagerduty:PagerDutyNotifier",
    "slack": "alerts.notifiers.slack:SlackNotifier",
    "slack-webhook": "alerts.notifiers.slack_webhook:SlackWebhookNotifier",
    "webhook": "alerts.notifiers.webhook:WebhookNotifier",
}
"""Kind of receiver, as `slicewatch.toml` names it, to its class."""


def notifier_class(kind: str) -> type[Notifier]:
    """The class of a kind of receiver; raises KeyError for one that is not known."""
    module, _, name = KINDS[kind].partition(":")
    found: type[Notifier] = getattr(import_module(module), name)
    return found
