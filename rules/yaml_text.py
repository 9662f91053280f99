"""YAML 1.2 text to a document: plainly where that is possible, else with care."""

from __future__ import annotations

from rules.document import Document
from rules.yaml_events import NotPlainError, read_plainly


def read_yaml(text: str, file: str) -> Document:
    """Read one document. Never raises: what cannot be read is a problem with its place."""
    try:
        return read_plainly(text, file)
    except NotPlainError:
        from rules.yaml_nodes import read_carefully  # noqa: PLC0415  the second library, where it is needed

        return read_carefully(text, file)
