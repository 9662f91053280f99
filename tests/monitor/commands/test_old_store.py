"""The daemon of today on a store as each earlier revision left it."""

from __future__ import annotations

import io

import pytest

from monitor import store
from monitor.app import App
from monitor.store import migrate
from tests.monitor.commands.place import HOUR, OUTAGE, Place
from tests.monitor.commands.test_clock import Machine
from tests.monitor.store.test_migrations import REVISIONS

pytestmark = pytest.mark.xdist_group("commands")


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_the_daemon_goes_on_from_any_revision(told: Place, revision: str) -> None:
    """It evaluates the next tick by the history that is there, and follows the incident where the revision knew of such."""
    state = store.Store.open(f"sqlite:///{told.folder / 'slicewatch.db'}")
    with state.read() as tx:
        (before,) = store.incidents(tx)
        pages = store.dump(tx)["slicewatch_page"]
    with state.write() as tx:
        migrate.downgrade(tx.connection, revision)
    state.close()
    with App.open(told.config, {}, io.StringIO()) as app:
        tick = OUTAGE[1] + HOUR
        assert Machine(app, tick).wakes(tick) == [tick]
        with app.state.read() as tx:
            assert store.runs(tx, "playback_volume", 1)[0].outcome == "ok"
            assert store.dump(tx)["slicewatch_page"][: len(pages) // 2] == pages[: len(pages) // 2]
            known = store.incidents(tx)
    # Revision 0001 knew of no incidents, and the loss is over by now.
    assert [incident.id for incident in known] == ([] if revision == "0001" else [before.id])
