"""Where an incident is looked at in a browser: said when a message is sent, by the address that pages have then. Pure."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from alerts.model import Message

INCIDENT = "sw-"
"""How ids of incidents begin; threads of digests have others."""


def linked(message: Message, pages: str | None) -> Message:
    """The message with the address of its incident's page, or of the list of incidents for a digest; `pages` is the site's."""
    if pages is None:
        return message
    one = f"/{quote(message.key, safe='')}" if message.key.startswith(INCIDENT) else ""
    return replace(message, page_url=f"{pages.rstrip('/')}/incidents{one}")
