"""Who is in a user group of Slack (scope `usergroups:read`)."""

from __future__ import annotations

from slack_sdk import WebClient

from monitor.settings import ReceiverSettings


def members(receiver: ReceiverSettings, group: str) -> frozenset[str]:
    """The ids of its members, asked with the receiver's token. Raises what the library raises."""
    arguments = receiver.arguments()
    base_url = str(arguments.get("base_url") or WebClient.BASE_URL)
    client = WebClient(str(arguments["token"]), base_url=base_url, timeout=10, retry_handlers=[])
    if base_url != WebClient.BASE_URL:
        client.proxy = None
    return frozenset(map(str, client.usergroups_users_list(usergroup=group)["users"]))
