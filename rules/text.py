"""The text of a file, or why it has none."""

from __future__ import annotations

from pathlib import Path

from rules.problem import Place, Problem


def read_text(path: Path, within: tuple[Path, ...] = ()) -> str | Problem:
    """UTF-8, with or without a mark at its beginning; never raises `OSError`.

    A file outside of the folders `within` is not opened, wherever links lead: a message would show what stands in it.
    """
    file = path.as_posix()
    if within and not any(path.resolve().is_relative_to(folder.resolve()) for folder in within):
        hint = "rule files, and what they name, lie in the folder of slicewatch.toml or of their pattern"
        return Problem(Place(file), "unreadable", "lies outside of the rules' folder and is not opened", hint)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return Problem(Place(file), "unreadable", f"cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return Problem(
            Place(file, line), "unreadable", f"byte {error.start + 1} is not UTF-8", "save the file as UTF-8"
        )
