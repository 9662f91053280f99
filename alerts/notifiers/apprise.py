"""Messages through Apprise: Microsoft Teams and a hundred other services, as plain text (`pip install slicewatch[apprise]`).

Apprise says whether a message was taken, and why not only in words for a log; what is known of an error is read from these.
"""

from __future__ import annotations

import re

from apprise import Apprise, NotifyFormat, NotifyType

from alerts.message import ENDS, plain_text
from alerts.model import Message, Receipt, SendError
from alerts.notifiers.http import PASSING
from alerts.ports import Delivery, Part
from alerts.wording import clean
from rules.model import Severity

TIMEOUT_SECONDS = 60.0
RETRY_AFTER = 60.0
"""Seconds to wait where a service says that there were too many; how long it asked for is not handed on."""
TOLD_LENGTH = 200
TYPES = {
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.WARNING: NotifyType.WARNING,
    Severity.INFO: NotifyType.INFO,
}
_STATUS = re.compile(r"\berror=(\d{3})\b")


class AppriseNotifier:
    """Sends to the one service that an Apprise URL names."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._service = Apprise()
        self._known = self._service.add(url) and len(self._service) == 1
        self._timeout = timeout

    def send(self, delivery: Delivery) -> Receipt:
        """Send the text; a chart's or a file's delivery ends without a word. Raises `SendError`."""
        self.ask()
        if delivery.part is Part.TEXT:
            self._notify(delivery.message)
        return Receipt()

    def ask(self) -> None:
        """Whether Apprise understands the URL; the service is not asked. Raises `SendError`."""
        if not self._known:
            raise SendError("Apprise knows no single service by this URL", permanent=True)

    def _notify(self, message: Message) -> None:
        result = self._service.notify(
            body=plain_text(message),
            title=message.push,
            notify_type=NotifyType.SUCCESS if message.change in ENDS else TYPES[message.severity],
            body_format=NotifyFormat.TEXT,
            timeout=self._timeout,
        )
        if not result:
            raise failure(" ".join(str(entry.message) for entry in result.logs()))


def failure(told: str) -> SendError:
    """What a failed attempt means, by the words of its log. Without a status nobody knows whether it arrived."""
    found = _STATUS.search(told)
    status = int(found[1]) if found else 0
    text = f"Apprise: {clean(' '.join(told.split()) or 'not sent, and no word why', TOLD_LENGTH)}"
    if status == 429:
        return SendError(text, retry_after=RETRY_AFTER)
    if 400 <= status < 500 and status not in PASSING:
        return SendError(text, permanent=True)
    return SendError(text, unknown=not status)
