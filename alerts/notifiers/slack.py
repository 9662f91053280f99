"""Messages in Slack: one root message per incident, edited in place; a thread for what changes, charts and files.

Retries are not made here: `alerts.failures` decides about them, so every failure is classified and raised.
"""

from __future__ import annotations

import logging
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from alerts.model import Message, Receipt, SendError
from alerts.notifiers import slack_adoption, slack_blocks
from alerts.notifiers.slack_buttons import buttons
from alerts.ports import Delivery, Part
from alerts.reprocess import csv_of, file_name
from alerts.time_limit import within

TIMEOUT_SECONDS = 10
DRAW_SECONDS = 40.0
"""A chart takes half a second; the first of a process may have to look for fonts, on a machine that is busy."""
LONGEST_RETRY_AFTER = 3_600.0

PERMANENT = frozenset({
    "account_inactive", "channel_is_limited_access", "channel_not_found", "ekm_access_denied", "enterprise_is_restricted",
    "invalid_auth", "is_archived", "missing_scope", "no_permission", "not_allowed_token_type", "not_authed",
    "not_in_channel", "org_login_required", "restricted_action", "restricted_action_read_only_channel",
    "restricted_action_thread_locked", "team_access_not_granted", "token_expired", "token_revoked",
    "two_factor_setup_required",
})  # fmt: skip
"""Errors that no retry cures: somebody has to change something in Slack or in slicewatch.toml."""
REFUSED = frozenset({
    "blocks_too_long", "invalid_arg_name", "invalid_arguments", "invalid_array_arg", "invalid_blocks",
    "invalid_blocks_format", "invalid_metadata_format", "invalid_metadata_schema", "metadata_must_be_sent_from_app",
    "metadata_too_large", "msg_blocks_too_long", "msg_too_long", "no_text", "too_many_attachments",
})  # fmt: skip
"""Errors about what was sent, not about where: the plain form may pass."""
UNKNOWN = frozenset({"fatal_error", "internal_error", "request_timeout"})
"""Errors after which, by Slack's own word, some of it may have happened."""
LIMITED = frozenset({"rate_limited", "ratelimited", "message_limit_exceeded"})
CARRIED = "below, in the thread"
"""Where the CSV is."""
ROOT_GONE = frozenset({"cant_update_message", "edit_window_closed", "message_not_found", "thread_not_found"})
"""The message to edit or to reply to is not there, or not ours any more."""


class SlackNotifier:
    """Posts to one channel (its name or id) with a bot token (`chat:write`, and `files:write` for charts and files).

    With an `app_token` or a `signing_secret` messages have buttons: what is pressed comes back to the daemon.
    """

    def __init__(
        self,
        channel: str,
        token: str,
        *,
        app_token: str | None = None,
        signing_secret: str | None = None,
        base_url: str = WebClient.BASE_URL,
        timeout: int = TIMEOUT_SECONDS,
    ) -> None:
        self._channel = channel
        self._channel_id: str | None = None
        """Known once something was posted."""
        self._app_token = app_token
        # No button before it works: one of the two is how a press comes back.
        self._answers = app_token is not None or signing_secret is not None
        # The client logs errors it also raises: they are told once, where they are settled.
        logger = logging.getLogger("slicewatch.slack_sdk")
        logger.setLevel(logging.CRITICAL + 1)
        self._client = WebClient(token, base_url=base_url, timeout=timeout, retry_handlers=[], logger=logger)
        if proxy_bypass(urlsplit(base_url).hostname or "") or _is_loopback(base_url):
            # The client takes a proxy from the environment, and overlooks NO_PROXY.
            self._client.proxy = None

    def send(self, delivery: Delivery) -> Receipt:
        """Post, or edit and reply, or upload the chart or the file; the receipt names the incident's root message.

        Raises `SendError`.
        """
        try:
            return self._text(delivery) if delivery.part is Part.TEXT else self._upload(delivery)
        except SlackApiError as error:
            raise _refusal(error) from error
        except (SlackClientError, OSError, HTTPException) as error:
            raise _failure(error) from error

    def ask(self) -> None:
        """Whether Slack knows the tokens. Says nothing about the channel. Raises `SendError`."""
        try:
            self._client.auth_test()
            if self._app_token is not None:
                self._client.apps_connections_open(app_token=self._app_token)
        except SlackApiError as error:
            raise _refusal(error) from error
        except (SlackClientError, OSError, HTTPException) as error:
            raise _failure(error) from error

    def _text(self, delivery: Delivery) -> Receipt:
        root = delivery.root
        if root is None or not root.ref:
            found = self._adopted(delivery) if delivery.in_doubt else None
            if found is None:
                return self._post(delivery)
            if found.seq == delivery.message.seq and not found.edited:
                return found.root
            root = found.root
        try:
            self._edit(delivery, root)
            if not (delivery.in_doubt and self._replied(delivery, root)):
                self._reply(delivery, root)
        except SlackApiError as error:
            if _code(error) not in ROOT_GONE:
                raise
            return self._post_after(delivery, root, error)
        return root

    def _adopted(self, delivery: Delivery) -> slack_adoption.Adopted | None:
        """The incident's message that an earlier send may have left in the channel."""
        self._channel_id = self._channel_id or slack_adoption.channel_id(self._client, self._channel)
        if self._channel_id is None:
            return None
        return slack_adoption.root_of(self._client, self._channel_id, delivery.message, delivery.doubtful_since)

    def _replied(self, delivery: Delivery, root: Receipt) -> bool:
        return slack_adoption.has_reply(self._client, root, delivery.message, delivery.doubtful_since)

    def _post(self, delivery: Delivery) -> Receipt:
        answer = self._client.chat_postMessage(channel=self._channel, **self._root_form(delivery))
        self._channel_id = str(answer["channel"])
        return Receipt(self._channel_id, str(answer["ts"]))

    def _post_after(self, delivery: Delivery, root: Receipt, error: SlackApiError) -> Receipt:
        """The root cannot be edited: tell it in the thread if there still is one, else in the channel."""
        if _code(error) in {"cant_update_message", "edit_window_closed"}:
            try:
                self._reply(delivery, root)
            except SlackApiError as second:
                if _code(second) not in ROOT_GONE:
                    raise
            else:
                return root
        return self._post(delivery)

    def _edit(self, delivery: Delivery, root: Receipt) -> None:
        self._client.chat_update(
            channel=root.channel, ts=root.ref, parse="none", **self._root_form(delivery, edit=True)
        )

    def _reply(self, delivery: Delivery, root: Receipt) -> None:
        message = delivery.message
        told = slack_blocks.reply_blocks(message, carried=CARRIED)
        form = _form(message, slack_blocks.reply(message), told, plain=delivery.plain)
        self._client.chat_postMessage(
            channel=root.channel, thread_ts=root.ref, reply_broadcast=message.broadcast, **form, **_QUIET
        )

    def _root_form(self, delivery: Delivery, *, edit: bool = False) -> dict[str, Any]:
        """Text, blocks and metadata of the root message; without blocks where they were refused before."""
        message, plain = delivery.message, delivery.plain
        text = slack_blocks.plain(message, carried=CARRIED) if plain else slack_blocks.push(message)
        pressed = buttons(message, delivery.receiver) if self._answers else []
        form = _form(message, text, slack_blocks.blocks(message, pressed, carried=CARRIED), plain=plain, edit=edit)
        return form | ({"link_names": False} if edit else _QUIET)

    def _upload(self, delivery: Delivery) -> Receipt:
        root, message = delivery.root, delivery.message
        if root is None or not root.ref:
            raise SendError(f"there is no message to put the {delivery.part} under", permanent=True)
        form = _chart(message) if delivery.part is Part.CHART else _file(message)
        if form:
            self._client.files_upload_v2(**form, channel=root.channel, thread_ts=root.ref)
        return root


def _chart(message: Message) -> dict[str, Any]:
    """How the chart is uploaded."""
    name = f"{message.key}-{message.seq}.png"
    return {"content": _drawn(message), "filename": name, "title": message.title, "alt_txt": message.push}


def _file(message: Message) -> dict[str, Any]:
    """How the CSV is uploaded; nothing of a message that has none."""
    if message.reprocess is None:
        return {}
    content, name = csv_of(message.rule, message.reprocess), file_name(message.key)
    return {"content": content, "filename": name, "title": "To reprocess"}


def _drawn(message: Message) -> bytes:
    """The chart as a PNG; one that cannot be drawn is given up, one that takes too long is tried again: its text is out."""
    from alerts.chart import render_png  # noqa: PLC0415  # matplotlib takes half a second, and texts do not need it

    try:
        return within(DRAW_SECONDS, lambda: render_png(message))
    except TimeoutError as error:
        raise SendError(f"the chart cannot be drawn in time: {error}") from error
    except Exception as error:
        raise SendError(f"the chart cannot be drawn: {error}", permanent=True) from error


_QUIET: dict[str, Any] = {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}


def _is_loopback(url: str) -> bool:
    return (urlsplit(url).hostname or "") in {"localhost", "127.0.0.1", "::1"}


def _form(
    message: Message, text: str, blocks: list[slack_blocks.Block], *, plain: bool, edit: bool = False
) -> dict[str, Any]:
    if plain:
        # An edit without blocks would keep the old ones: an empty list takes them away.
        return {"text": text, "blocks": []}
    return {"text": text, "blocks": blocks, "metadata": slack_blocks.metadata(message, edit=edit)}


# --- errors ----------------------------------------------------------------------------------------------------


def _code(error: SlackApiError) -> str:
    data = error.response.data if isinstance(error.response, SlackResponse) else error.response
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def _refusal(error: SlackApiError) -> SendError:
    """Slack answered, and the answer is no."""
    code, status, headers = _code(error), _status(error), _headers(error)
    if status == 429 or code in LIMITED:
        return SendError("Slack asks to wait (429)", retry_after=_retry_after(headers))
    if status >= 500:
        return SendError(f"Slack answers {status}")
    if status == 413:
        return SendError("Slack answers 413: too large", refused=True)
    told = f"Slack answers {code[:200] or status}"
    return SendError(told, permanent=code in PERMANENT, refused=code in REFUSED, unknown=code in UNKNOWN)


def _status(error: SlackApiError) -> int:
    return int(error.response.status_code) if isinstance(error.response, SlackResponse) else 200


def _headers(error: SlackApiError) -> dict[str, Any]:
    return dict(error.response.headers) if isinstance(error.response, SlackResponse) else {}


def _retry_after(headers: dict[str, Any]) -> float:
    """Seconds to wait; a minute where Slack does not say, at least one, never more than an hour."""
    found = next((value for name, value in headers.items() if name.lower() == "retry-after"), "60")
    text = str(found[0] if isinstance(found, list) else found)
    seconds = float(text) if text.replace(".", "", 1).isdigit() else 60.0
    return min(max(seconds, 1.0), LONGEST_RETRY_AFTER)


def _failure(error: Exception) -> SendError:
    """Slack did not answer: what is known is whether it can have got the message."""
    if isinstance(error, HTTPError):
        return _http_failure(error)
    if isinstance(error, URLError):
        # Raised for the connection and for sending the request, never for reading the answer.
        cut = isinstance(error.reason, ConnectionResetError | BrokenPipeError | TimeoutError)
        return SendError(f"Slack cannot be reached: {error.reason}", unknown=cut)
    return SendError(f"Slack did not answer: {error or type(error).__name__}", unknown=True)


def _http_failure(error: HTTPError) -> SendError:
    """An upload's own answer, which is not Slack's JSON. Nobody reads it, so its connection is closed here."""
    error.close()
    if error.code == 429:
        return SendError("Slack asks to wait (429)", retry_after=_retry_after(dict(error.headers.items())))
    return SendError(f"Slack's upload answers {error.code}")
