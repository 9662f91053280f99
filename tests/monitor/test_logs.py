"""How the log is written."""

from __future__ import annotations

import json
import logging
import re
import threading
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.about import about, carried, subject
from alerts.time_limit import within
from monitor.daemon_settings import LogSettings
from monitor.logs import JsonLines, Sparing, TextLines, sparingly, write_log

log = logging.getLogger("slicewatch")
LOGGERS = ("slicewatch", "apscheduler", "asyncio", "concurrent.futures", "py.warnings", "uvicorn")


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    """What writes a log is the whole process's."""
    before = {name: (logging.getLogger(name).handlers, logging.getLogger(name).level) for name in LOGGERS}
    hook = threading.excepthook
    yield
    logging.captureWarnings(capture=False)
    threading.excepthook = hook
    for name, (handlers, level) in before.items():
        logging.getLogger(name).handlers = handlers
        logging.getLogger(name).setLevel(level)


def written(settings=LogSettings("json"), **always):  # noqa: B008  # it is frozen
    """Where a log is written from now on."""
    stream = StringIO()
    write_log(stream, settings, always)
    return stream


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_json_says_what_it_is_about():
    """Time in UTC, level, logger and message; what the work is about, and what the line adds; of which daemon."""
    stream = written(replica="host/1/2")
    with about(rule="playback", run="5f0c"), about(tick="2026-03-04T08:00:00+00:00"):
        log.info("%s judged", "one bucket", extra={"incident": "sw-1"})
    log.warning("alone")
    first, second = lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "info",
        "logger": "slicewatch",
        "message": "one bucket judged",
        "replica": "host/1/2",
        "rule": "playback",
        "run": "5f0c",
        "tick": "2026-03-04T08:00:00+00:00",
        "incident": "sw-1",
    }
    assert (second["level"], "rule" in second) == ("warning", False)


def test_an_exception_is_one_field_of_one_line():
    """With its traceback."""
    stream = written()
    try:
        json.loads("two\nlines")
    except ValueError:
        log.exception("it failed")
    (line,) = lines(stream)
    assert line["exception"].startswith("Traceback")
    assert "JSONDecodeError: Expecting value" in line["exception"]


@given(st.text(st.characters()))
def test_whatever_is_said_is_one_ascii_line(text):
    """Line ends, quotes, surrogates and control characters come back as they were, whatever the stream's encoding."""
    record = logging.LogRecord("slicewatch", logging.INFO, "", 0, "%s", (text,), None)
    said = JsonLines({}).format(record)
    assert said.isascii()
    assert "\n" not in said
    assert json.loads(said)["message"] == text


def test_lines_for_people_stay_as_they_are():
    """A time, a level, the message; what it is about is in its words."""
    stream = written(LogSettings("text"))
    with about(rule="playback"):
        log.info("playback: judged")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO playback: judged\n", stream.getvalue())


def test_the_level_holds():
    """What is below it is not written; libraries say what goes wrong and no more."""
    stream = written(LogSettings("json", "warning"))
    log.info("not this")
    log.warning("this")
    logging.getLogger("apscheduler.scheduler").info("nor this")
    logging.getLogger("uvicorn.error").error("but this")
    assert [(line["logger"], line["message"]) for line in lines(stream)] == [
        ("slicewatch", "this"),
        ("uvicorn.error", "but this"),
    ]


def test_what_ends_a_thread_is_a_line_like_all_others():
    """No bare traceback among lines of JSON."""
    stream = written()

    def fail():
        raise RuntimeError("nobody foresaw it")

    thread = threading.Thread(target=fail, name="courier")
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert line["message"] == "courier ended by an error"
    assert "RuntimeError: nobody foresaw it" in line["exception"]


def test_work_with_a_time_limit_is_about_the_same():
    """Though it runs in a thread of its own; what it sets there stays there."""
    with about(receiver="team"):
        assert within(10, lambda: dict(subject())) == {"receiver": "team"}
        work = carried(lambda: dict(subject()))
    found = []
    thread = threading.Thread(target=lambda: found.extend([work(), dict(subject())]))
    thread.start()
    thread.join()
    assert found == [{"receiver": "team"}, {}]
    assert dict(subject()) == {}


def record(at, text="%s: the store failed", who="rules"):
    made = logging.LogRecord("slicewatch", logging.ERROR, "", 0, text, ("playback",), None)
    made.created = at
    if who is not None:
        made.sparingly = who
    return made


def test_two_hundred_rules_that_meet_the_same_trouble_say_it_once():
    """The next line, ten seconds later, says how many there were."""
    sparing = Sparing(10.0)
    assert [sparing.filter(record(100 + number / 100)) for number in range(200)] == [True] + [False] * 199
    last = record(110)
    assert sparing.filter(last)
    assert TextLines().format(last).endswith("playback: the store failed (199 more like it before)")
    assert json.loads(JsonLines({}).format(last))["message"].endswith("(199 more like it before)")


def test_only_what_is_marked_is_held_back_and_only_behind_its_like():
    """Another text, another speaker, and whatever is not marked are written."""
    sparing = Sparing(10.0)
    assert sparing.filter(record(100))
    assert sparing.filter(record(100, "another text"))
    assert sparing.filter(record(100, who="watch"))
    assert all(sparing.filter(record(100, who=None)) for _ in range(3))
    assert sparingly("rules") == {"sparingly": "rules"}


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_nothing_marked_is_quiet_for_longer_than_that(moments):
    """Whatever the clock does: back or forth, a line is written unless its like was within the ten seconds before."""
    sparing, last = Sparing(10.0), None
    for moment in moments:
        let_through = sparing.filter(record(moment))
        assert let_through == (last is None or not 0 <= moment - last < 10.0)
        last = moment if let_through else last
