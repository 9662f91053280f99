"""Viewers of pages, in a process of their own as their browsers are: it looks while it is told to.

    python benchmarks/crowd.py URL VIEWERS SECONDS PATH...

A viewer opens one of the paths, looks at it for some seconds, opens the next one, over a connection that is kept. Each line
`look` on the standard input begins it, each `stop` ends it; both are answered by a line. At the end of the input a line of
JSON says what happened.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT = 60.0
HEADERS = {"Accept": "text/html", "Accept-Encoding": "gzip"}


@dataclass
class Crowd:
    """Viewers, each a thread with a connection that it keeps."""

    host: str
    port: int
    paths: tuple[str, ...]
    viewers: int
    reads: float
    """Seconds that a viewer looks at a page, on average."""
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """All of them look meanwhile."""
        self._stopped.clear()
        threads = [threading.Thread(target=self._look, args=[n]) for n in range(self.viewers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def _look(self, number: int) -> None:
        chance = random.Random(number)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
        self._stopped.wait(chance.uniform(0, self.reads))
        while not self._stopped.is_set():
            self._open(connection, chance.choice(self.paths))
            self._stopped.wait(chance.expovariate(1 / self.reads))
        connection.close()

    def _open(self, connection: http.client.HTTPConnection, path: str) -> None:
        began = time.perf_counter()
        said = ""
        try:
            with suppress(ConnectionResetError):
                # A server may close a connection on which nothing was asked for a while.
                said = self._answer(connection, path)
                return
            connection.close()
            said = self._answer(connection, path)
        except (OSError, http.client.HTTPException) as error:
            said = f"{path}: {error!r}"
            connection.close()
        finally:
            with self._lock:
                self.seconds.append(time.perf_counter() - began)
                self.wrong += [said] if said else []

    @staticmethod
    def _answer(connection: http.client.HTTPConnection, path: str) -> str:
        connection.request("GET", path, headers=HEADERS)
        answer = connection.getresponse()
        answer.read()
        return "" if answer.status == 200 else f"{path}: {answer.status}"


def main() -> None:
    """As the standard input says."""
    url, viewers, reads, *paths = sys.argv[1:]
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    crowd = Crowd(where.hostname, where.port, tuple(paths), int(viewers), float(reads))
    for line in sys.stdin:
        if line.strip() == "look":
            with crowd.looking():
                print("looking", flush=True)
                sys.stdin.readline()
            print("stopped", flush=True)
    print(json.dumps({"seconds": crowd.seconds, "wrong": crowd.wrong}), flush=True)


if __name__ == "__main__":
    main()
