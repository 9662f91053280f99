"""Whether a process is well and ready, by a real store, and as it is asked over HTTP."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from http.client import HTTPConnection
from types import SimpleNamespace

import psycopg
import pytest
import sqlalchemy as sa

from dashboards.views.probes import Probe
from monitor.probing import SILENT, Probing, StoreProbe
from monitor.serving.plain import PlainProbes
from monitor.serving.server import WebServer
from monitor.store import Store
from monitor.store.schema import VERSION_TABLE
from monitor.vitals import Vitals
from rules.load import RuleSet
from rules.problem import Place, Problem

SLOW = 60.0


@pytest.fixture
def state(tmp_path):
    with closing(Store.open(f"sqlite:///{tmp_path / 'store.db'}", busy_timeout=0.1)) as opened:
        yield opened


def probing(state, *, vitals=None, phase="", rules=(), problems=()):
    app = SimpleNamespace(state=state, rules=RuleSet(tuple(rules), tuple(problems)))
    return Probing(app, vitals or Vitals(), lambda: phase)


def test_at_work_with_a_store_that_answers_it_is_ready(state):
    """No rule at all is a beginning, and no failure."""
    found = probing(state)
    assert (found.alive(), found.ready()) == (Probe(), Probe())
    assert Probe().status == 200


def test_every_reason_is_told_and_none_says_where_the_store_is(tmp_path, caplog):
    """That it starts or ends, that no rule can be read, that the store cannot be used: the log alone says more."""
    with closing(Store.open(f"sqlite:///{tmp_path / 'store.db'}")) as state:
        broken = Problem(Place("rules/secret.yaml", 1, 1), "unreadable", "it is broken", severity="error")
        found = probing(state, phase="it is starting", problems=[broken])
        with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
            connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
            connection.commit()
        probe = found.ready()
    assert probe.reasons == (
        "it is starting",
        "no rule can be read; the log says why",
        "the store cannot be used; the log says why",
    )
    assert probe.status == 503
    assert "store.db" in caplog.text
    assert found.alive() == Probe()


def test_a_store_that_hangs_is_not_waited_for(postgres_url):
    """Any number who ask find it silent, with one thread that waits for it; once it answers it is well again."""
    name = f"probing_{threading.get_native_id()}"
    url = sa.make_url(postgres_url).set(drivername="postgresql")
    with closing(psycopg.connect(url.render_as_string(False), autocommit=True)) as server:
        server.execute(f"CREATE DATABASE {name}")
        with closing(Store.open(sa.make_url(postgres_url).set(database=name).render_as_string(False))) as state:
            assert StoreProbe(state).amiss() == ""
            probe = StoreProbe(state, seconds=0.05)
            with closing(psycopg.connect(url.set(database=name).render_as_string(False))) as other:
                other.execute(f"LOCK TABLE {VERSION_TABLE} IN ACCESS EXCLUSIVE MODE")
                before = threading.active_count()
                assert [probe.amiss() for _ in range(5)] == [SILENT] * 5
                assert threading.active_count() <= before + 1
            probe.seconds = SLOW
            assert probe.amiss() == ""
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_an_answer_of_the_store_is_good_for_a_moment(state):
    """A crowd that probes does not weigh on it; what has changed shows a moment later."""
    now = [0.0]
    probe = StoreProbe(state, clock=lambda: now[0])
    assert probe.amiss() == ""
    state.shut(0)
    assert probe.amiss() == ""
    now[0] += 1.0
    assert probe.amiss() == "the store cannot be used; the log says why"


def asked(port, path, method="GET"):
    with closing(HTTPConnection("127.0.0.1", port, timeout=SLOW)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_both_are_answered_at_an_address_of_their_own(state):
    """As JSON with a status; nothing else is there."""
    clock = [0.0]
    vitals = Vitals(lambda: clock[0])
    turn = vitals.loop("deliver", 60)
    with closing(PlainProbes("127.0.0.1:0", probing(state, vitals=vitals, phase="it is starting"))) as server:
        server.start()
        assert server.alive()
        assert asked(server.port, "/healthz?verbose=1") == (200, b'{"status": "ok", "reasons": []}')
        status, body = asked(server.port, "/readyz")
        assert (status, json.loads(body)) == (503, {"status": "failing", "reasons": ["it is starting"]})
        clock[0] = 100
        status, body = asked(server.port, "/healthz")
        assert (status, json.loads(body)["reasons"]) == (503, ["deliver has been at one turn for 100 s"])
        turn()
        assert asked(server.port, "/healthz", "HEAD") == (200, b"")
        assert asked(server.port, "/metrics")[0] == 404
        assert asked(server.port, "/healthz", "POST")[0] == 501


def test_pages_that_are_served_no_longer_are_noticed():
    """Their thread is one of the vitals of a daemon."""

    async def nothing(scope, receive, send):
        """No application: the server alone."""

    vitals = Vitals()
    server = WebServer(nothing, "127.0.0.1", 0)
    with closing(server):
        server.start()
        vitals.thread("web", server.alive)
        assert vitals.amiss() == ()
    assert vitals.amiss() == ("web has ended",)
