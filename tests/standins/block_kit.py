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


KINDS = {"header": _header, "section": _section, "context": _context, "image": _image, "divider": _divider}
