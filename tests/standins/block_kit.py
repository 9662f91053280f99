"""Block Kit's limits, as Slack publishes them: what is wrong with a list of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

BLOCKS = 50
TEXT = 3_000
HEADER = 150
FIELDS = 10
FIELD = 2_000
ELEMENTS = 10
BLOCK_ID = 255
URL = 3_000


def problems(blocks: Any) -> list[str]:
    """One line for each breach, with the JSON pointer of its place; [] for blocks that Slack accepts."""
    if not isinstance(blocks, list):
        return ["must be an array [json-pointer:/blocks]"]
    found = [] if len(blocks) <= BLOCKS else [f"no more than {BLOCKS} items allowed [json-pointer:/blocks]"]
    for number, block in enumerate(blocks):
        found += [f"{what} [json-pointer:/blocks/{number}{where}]" for where, what in _block(block)]
    return found


Breach = tuple[str, str]


def _block(block: Any) -> Iterator[Breach]:
    kind = block.get("type") if isinstance(block, dict) else None
    check = KINDS.get(str(kind))
    if check is None:
        yield "/type", f"unsupported type: {kind}"
        return
    if len(str(block.get("block_id", ""))) > BLOCK_ID:
        yield "/block_id", f"must be no more than {BLOCK_ID} characters"
    yield from check(block)


def _text(value: Any, where: str, limit: int, kinds: tuple[str, ...] = ("mrkdwn", "plain_text")) -> Iterator[Breach]:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        yield where, f"must be a text object of type {' or '.join(kinds)}"
        return
    text = value.get("text")
    if not isinstance(text, str) or not text:
        yield f"{where}/text", "must be at least 1 character"
    elif len(text) > limit:
        yield f"{where}/text", f"must be no more than {limit} characters"
    allowed = {"type", "text"} | ({"emoji"} if value["type"] == "plain_text" else {"verbatim"})
    for name in sorted(set(value) - allowed):
        yield f"{where}/{name}", "additional property"


def _header(block: dict[str, Any]) -> Iterator[Breach]:
    yield from _text(block.get("text"), "/text", HEADER, ("plain_text",))


def _section(block: dict[str, Any]) -> Iterator[Breach]:
    fields = block.get("fields")
    if "text" in block:
        yield from _text(block["text"], "/text", TEXT)
    elif not fields:
        yield "", "must have text or fields"
    if fields is not None:
        if not 0 < len(fields) <= FIELDS:
            yield "/fields", f"must have 1 to {FIELDS} items"
        for number, item in enumerate(fields):
            yield from _text(item, f"/fields/{number}", FIELD)


def _context(block: dict[str, Any]) -> Iterator[Breach]:
    elements = block.get("elements") or []
    if not 0 < len(elements) <= ELEMENTS:
        yield "/elements", f"must have 1 to {ELEMENTS} items"
    for number, element in enumerate(elements):
        if element.get("type") != "image":
            yield from _text(element, f"/elements/{number}", TEXT)


def _image(block: dict[str, Any]) -> Iterator[Breach]:
    if not 0 < len(str(block.get("image_url", ""))) <= URL:
        yield "/image_url", "must be a URL"
    if not block.get("alt_text"):
        yield "/alt_text", "must be at least 1 character"


def _divider(block: dict[str, Any]) -> Iterator[Breach]:
    for name in sorted(set(block) - {"type", "block_id"}):
        yield f"/{name}", "additional property"


def _actions(block: dict[str, Any]) -> Iterator[Breach]:
    elements = block.get("elements") or []
    if not 0 < len(elements) <= 25:
        yield "/elements", "must have 1 to 25 items"
    names = [element.get("action_id") for element in elements]
    if len(set(names)) < len(names):
        yield "/elements", "action_id must be unique"
    for number, element in enumerate(elements):
        yield from ((f"/elements/{number}{where}", what) for where, what in _element(element))


def _element(element: dict[str, Any]) -> Iterator[Breach]:
    if not 0 < len(str(element.get("action_id", ""))) <= BLOCK_ID:
        yield "/action_id", f"must be 1 to {BLOCK_ID} characters"
    match element.get("type"):
        case "button":
            yield from _text(element.get("text"), "/text", 75, ("plain_text",))
        case "static_select":
            yield from _text(element.get("placeholder"), "/placeholder", 150, ("plain_text",))
            yield from _options(element.get("options") or [])
        case kind:
            yield "/type", f"unsupported type: {kind}"
    confirm = element.get("confirm", {})
    for name, limit in {"title": 100, "text": 300, "confirm": 30, "deny": 30}.items() if confirm else ():
        yield from _text(confirm.get(name), f"/confirm/{name}", limit, ("plain_text",))


def _options(options: list[dict[str, Any]]) -> Iterator[Breach]:
    if not 0 < len(options) <= 100:
        yield "/options", "must have 1 to 100 items"
    for number, option in enumerate(options):
        yield from _text(option.get("text"), f"/options/{number}/text", 75, ("plain_text",))
        if not 0 < len(str(option.get("value", ""))) <= 150:
            yield f"/options/{number}/value", "must be 1 to 150 characters"


KINDS = {
    "actions": _actions,
    "header": _header,
    "section": _section,
    "context": _context,
    "image": _image,
    "divider": _divider,
}
