"""Messages on a terminal or in a log file."""

from __future__ import annotations

from typing import TextIO

from alerts.message import plain_text
from alerts.model import Receipt, SendError
from alerts.ports import Delivery, Part

RULER = "─" * 78


class ConsoleNotifier:
    """Writes every text to a stream. A chart or a file cannot be shown there, so its delivery ends without a word."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, delivery: Delivery) -> Receipt:
        """Write the whole message; what the stream cannot encode is written as escapes. Raises `SendError`."""
        if delivery.part is Part.TEXT:
            self._write(f"{RULER}\n{plain_text(delivery.message)}\n{RULER}\n")
        return Receipt()

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise SendError(f"cannot write to the console: {error}", unknown=True) from error
