"""The YAML language server that editors use, spoken to as an editor does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "yaml-language-server@1.25.0"
HOME = Path(__file__).parents[1] / ".venv" / "editor"


def language_server() -> str:
    """The server's program, installed by npm on the first call; where that cannot be, the test is skipped (CI=true: fails)."""
    program = HOME / "node_modules" / ".bin" / "yaml-language-server"
    if not program.exists():
        _install()
    return str(program)


def _install() -> None:
    if shutil.which("npm") is None and os.environ.get("CI") == "true" and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "nodejs", "npm"], check=True, capture_output=True)
    npm = shutil.which("npm")
    if npm is None:
        _missing("npm is not here")
    HOME.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(npm), "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(HOME), PACKAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        _missing(f"npm cannot install it: {done.stderr.strip()[:200]}")


def _missing(why: str) -> None:
    reason = f"no {PACKAGE}: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Editor:
    """A client of one server. Answers its questions with nothing, for an editor without settings."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._last = 0
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}

    def open(self, path: Path) -> list[str]:
        """Show a file; the messages of its diagnostics."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": path.read_text()}
        self._send("textDocument/didOpen", {"textDocument": document})
        while path.as_uri() not in self._diagnostics:
            self._receive()
        return [found["message"] for found in self._diagnostics[path.as_uri()]]

    def complete(self, path: Path, line: int, character: int) -> dict[str, str]:
        """Words that may stand at a place (from 0), each with what is said of it."""
        at = {"line": line, "character": character}
        answer = self.ask("textDocument/completion", {"textDocument": {"uri": path.as_uri()}, "position": at})
        return {item["label"]: _text(item.get("documentation", "")) for item in answer["items"]}

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """A request's result."""
        self._last += 1
        number = self._last
        self._send(method, params, number)
        while (message := self._receive()).get("id") != number or "method" in message:
            pass
        return message["result"]

    def _send(self, method: str, params: Any, number: int | None = None) -> None:
        self._write({"method": method, "params": params, **({} if number is None else {"id": number})})

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        length = 0
        while (line := stdout.readline().strip()) or not length:
            assert line or self._process.poll() is None, "the server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            items = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
            self._write({"id": message["id"], "result": [None for _ in items] or None})
        return message


def _text(documentation: Any) -> str:
    return str(documentation["value"]) if isinstance(documentation, dict) else str(documentation)


@contextmanager
def editor(folder: Path) -> Iterator[Editor]:
    """An editor with a folder open."""
    command = [language_server(), "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        found = Editor(process)
        capabilities = {"textDocument": {"completion": {"completionItem": {"documentationFormat": ["plaintext"]}}}}
        found.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": capabilities})
        found._send("initialized", {})
        try:
            yield found
        finally:
            process.kill()
