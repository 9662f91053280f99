"""One daemon per SQLite file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.store.errors import StoreLockedError


class DaemonLock:
    """Held from creation to `release`, or to the death of the process, however it dies.

    Raises StoreLockedError where another process holds the file `path`. The file itself stays: removing it
    would let two processes lock two files of one name.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("a+", encoding="ascii")
        if self._file is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = self._read()
            self._file.close()
            raise StoreLockedError(f"another slicewatch daemon{holder} runs on this store ({path})") from None
        self._write()

    @property
    def alone(self) -> bool:
        """Whether no other daemon can be on this store: one that was before is gone."""
        return self._file is not None

    def _read(self) -> str:
        assert self._file is not None
        self._file.seek(0)
        pid = self._file.read().strip()
        return f" (process {pid})" if pid else ""

    def _write(self) -> None:
        assert self._file is not None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another daemon have the store; safe to call twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
