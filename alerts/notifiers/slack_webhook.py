"""Messages through an incoming webhook of Slack: posts only. It can edit nothing, has no threads and takes no files.

So every change is a message of its own, and an incident's first message says that it will be so.
"""

from __future__ import annotations

import json
import ssl

from alerts.model import Change, Message, Receipt, SendError
from alerts.notifiers import http, slack_blocks
from alerts.ports import Delivery, Part

REFUSED = ("invalid_blocks", "invalid_payload", "no_text", "msg_too_long", "too_many_attachments")
"""Words of a 400 that are about what was sent."""
NOTHING_SENT = ("no_text", "invalid_payload")
"""How a webhook that works answers a message without content."""
WHO = "Slack"
STAYS = "This channel takes new messages only: none is edited, what follows comes as another one, and there are no charts and no files."


class SlackWebhookNotifier:
    """Posts to the one channel that the webhook was made for. `url` is the secret."""

    def __init__(
        self,
        url: str,
        *,
        allow_private: bool = False,
        timeout: float = http.TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._target = http.Target(url, WHO, timeout, public_only=not allow_private, context=context)

    def send(self, delivery: Delivery) -> Receipt:
        """Post the text; a chart or a file cannot be posted, so its delivery ends without a word. Raises `SendError`."""
        if delivery.part is Part.TEXT:
            answer = self._post(_form(delivery.message, plain=delivery.plain))
            _settle(answer)
        return Receipt()

    def ask(self) -> None:
        """Whether Slack knows the webhook: it refuses an empty message, and posts nothing. Raises `SendError`."""
        answer = self._post({})
        if answer.status != 400 or answer.body.strip() not in NOTHING_SENT:
            _settle(answer)

    def _post(self, form: dict[str, object]) -> http.Answer:
        return http.post(self._target, json.dumps(form).encode(), {"Content-Type": "application/json"})


def _form(message: Message, *, plain: bool) -> dict[str, object]:
    quiet = {"unfurl_links": False, "unfurl_media": False}
    first = message.change is Change.OPENED
    if plain:
        return {"text": slack_blocks.plain(message) + (f"\n\n{STAYS}" if first else ""), **quiet}
    blocks = slack_blocks.blocks(message) + ([slack_blocks.note(STAYS)] if first else [])
    return {"text": slack_blocks.push(message), "blocks": blocks, **quiet}


def _settle(answer: http.Answer) -> None:
    word = answer.body.strip()[:100]
    if answer.status in {400, 403, 404, 410}:
        refused = answer.status == 400 and word.startswith(REFUSED)
        raise SendError(f"{WHO} answers {word or answer.status}", permanent=not refused, refused=refused)
    http.expect_success(answer, WHO)
