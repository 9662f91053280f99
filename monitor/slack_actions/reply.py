"""Answers that only the person who asked sees."""

from __future__ import annotations

import json

from alerts.notifiers import http
from alerts.notifiers.slack_blocks import escape
from alerts.wording import shorten

HOOKS = "https://hooks.slack.com/"
LENGTH = 2_900


def reply(url: str, text: str, base_url: str | None) -> None:
    """Post an answer to the address that came with the request. Raises `SendError`.

    It goes to Slack and nowhere else, whatever address came: or to where `base_url` says that Slack is.
    """
    if not url.startswith(_origin(base_url) if base_url else HOOKS):
        return
    shown = escape(shorten(text, LENGTH)) if "\n" not in text else f"```{_code(text)}```"
    form = {"response_type": "ephemeral", "replace_original": False, "text": shown}
    answer = http.post(http.Target(url, "Slack"), json.dumps(form).encode(), {"Content-Type": "application/json"})
    http.expect_success(answer, "Slack")


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/"


def _code(text: str) -> str:
    """Several lines as they stand: only &, < and > mean anything there, and the fence itself."""
    text = shorten(text, LENGTH).replace("```", "'''")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
