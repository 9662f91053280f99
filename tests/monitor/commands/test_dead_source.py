"""A source that is down, through `slicewatch once`: asked a few times for all of its rules, and told once for all of them."""

from __future__ import annotations

import re
import socket
import threading
from typing import Self

import pytest

from monitor import store
from tests.monitor.commands.place import END, HOUR, RULE, TOML, Place, at, events

pytestmark = pytest.mark.xdist_group("commands")

RULES = 20


class Closing:
    """A server that ends each connection at once, and counts them."""

    def __enter__(self) -> Self:
        self.count = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.count += 1
            connection.close()


@pytest.fixture
def place(tmp_path) -> Place:
    made = Place(tmp_path / "place")
    made.folder.mkdir()
    made.write_events(events(END))
    for n in range(RULES):
        made.write(f"rules/r{n:02}.yaml", RULE.replace("playback_volume", f"r{n:02}").replace("lake.", "warehouse."))
    return made


def test_a_dead_source_is_left_alone_and_told_of_together(place):
    """Five connections for twenty rules; each rule is blind with the reason; one message of the first, one of the rest."""
    with Closing() as server:
        url = f"postgresql+psycopg://monitor@127.0.0.1:{server.port}/db"
        place.write("slicewatch.toml", TOML + f'[sources.warehouse]\nkind = "sql"\nurl = "{url}"\n')
        lines = place.lines("once", *at(END))
    assert server.count == 5
    assert len([line for line in lines if line["blind"]]) == RULES
    assert re.match(r"warehouse is not asked for another \d+ s: it failed 5 times in a row, ", lines[-1]["blind"])
    state = store.Store.open(f"sqlite:///{place.folder / 'slicewatch.db'}")
    with state.read() as tx:
        incidents = [item for item in store.incidents(tx) if item.kind.value == "blind"]
        keys = {key for item in incidents for key in store.lately(tx, "terminal", [item.id], END).through.values()}
        alone = [item.id for item in incidents if store.deliveries(tx, item.id)]
    state.close()
    assert len(incidents) == RULES
    assert (len(keys), len(alone)) == (1, 1)


LIMITED = TOML.replace("tables.playback", 'max_scan = "MOST"\ntables.playback')


@pytest.fixture
def lake(tmp_path) -> Place:
    made = Place(tmp_path / "lake")
    made.write("rules/playback.yaml", RULE)
    made.write_events(events(END))
    return made


def test_a_history_that_would_read_too_much_is_not_read(lake):
    """The first contact is no surprise: the rule is blind with what to do, and nothing of its history is there."""
    lake.write("slicewatch.toml", LIMITED.replace("MOST", "10kB"))
    (line,) = lake.lines("once", *at(END))
    assert line["blind"].startswith("the history of playback_volume, ")
    assert "max_scan is 10 kB: name a partition" in line["blind"]
    assert lake.dump()["slicewatch_page"] == []
    lake.write("slicewatch.toml", LIMITED.replace("MOST", "10MB"))
    (line,) = lake.lines("once", *at(END + HOUR))
    assert line["blind"] is None


def test_check_says_what_would_be_read_before_anything_is(lake):
    """By the rule's own limit, at its place."""
    lake.write("slicewatch.toml", TOML)
    lake.write("rules/playback.yaml", RULE + "    max_scan: 10kB\n")
    found = lake.run("check", "--online")
    assert found.exit_code == 1
    assert "error[scan-too-large]: the history of playback_volume would read about" in found.stdout
    assert "9 |     max_scan: 10kB" in found.stdout
    assert lake.run("check").exit_code == 0
