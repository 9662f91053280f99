"""The pages about the program and its rules: each opened in a browser, each action seen in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.model import Actor, Feedback, Message, State
from alerts.ports import Part
from monitor import store
from monitor.presence import Presence
from rules.slices import Slice

pytestmark = pytest.mark.xdist_group("web")

RULE = "playback_volume"
KARI = Actor("slack", "U1", "Kari")


def test_a_rule_says_what_holds_for_it_and_where_that_stands(site, tab):
    """From the list to one rule: built-in values, and the file and line of what somebody wrote."""
    tab.goto(f"{site.url}/rules")
    tab.get_by_role("link", name=RULE).click()
    tab.wait_for_url("**/rules/playback_volume")
    rows = {row.locator("td").first.inner_text(): row.inner_text() for row in tab.locator("tbody tr").all()}
    assert "built in" in rows["min_change"]
    assert "playback.yaml:" in rows["severity"]
    assert site.get("/rules/nothing-of-the-kind").status_code == 404


def test_a_loss_is_tried_from_the_map_of_blind_spots(site, tab):
    """The button answers in the page, by what the detector would have said of a device that is gone."""
    tab.goto(f"{site.url}/blind-spots")
    row = tab.locator("#list tr", has_text="device=android_phone")
    row.wait_for(timeout=60_000)  # worked out aside, and asked for again by the page
    assert tab.locator("svg.treemap a").count() >= 10
    row.get_by_role("button").click()
    told = tab.locator("#drilled")
    told.get_by_text("Yes: 100% of device=android_phone gone would have been told").wait_for(timeout=60_000)
    found = site.get("/api/v1/blind-spots/drill", params={"rule": RULE, "slice": '{"device": "android_phone"}'}).json()
    assert found["foreseen"] is True
    assert found["cause"] == {"device": "android_phone"}


def test_what_is_gone_already_is_tried_from_before_it_went(site):
    """The device that is dark since 08:00 is lost from 02:00 on: nobody can lose it twice, and it would have been told."""
    found = site.get("/api/v1/blind-spots/drill", params={"rule": RULE, "slice": '{"device": "iphone"}'}).json()
    assert (found["begin"], found["buckets"], found["cause"]) == ("2026-03-04T02:00:00Z", 6, {"device": "iphone"})


@pytest.mark.parametrize("raw", ["[]", "{", '{"device": 3}', '"ios"', "null"])
def test_what_is_no_slice_is_refused_with_a_sentence(site, raw):
    """Of whatever else somebody writes into an address."""
    answer = site.get("/api/v1/blind-spots/drill", params={"rule": RULE, "slice": raw})
    assert (answer.status_code, "write it as JSON" in answer.json()["error"]) == (422, True)


def test_what_was_given_up_is_sent_again_from_the_page(site, tab):
    """One button: it waits again in the outbox, and the log says who asked for it."""
    message = _message(site)
    outbox = store.SqlOutbox(site.app.state)
    with site.app.state.write() as tx:
        store.enqueue(tx, message, "console", [Part.TEXT], site.now)
    lane = outbox.lanes()[0]
    delivery = outbox.claim(site.now, "test", 60, lane)
    outbox.dead(delivery, "channel_not_found", site.now)
    tab.goto(f"{site.url}/deliveries?state=dead")
    assert "channel_not_found" in tab.locator("tbody").last.inner_text()
    tab.get_by_role("button", name="Send this message").click()
    tab.wait_for_url("**/deliveries")
    with site.app.state.read() as tx:
        (letter,) = store.letters(tx)
        (acted,) = store.newest_actions(tx)
    assert (letter.state, acted.action, acted.by.name) == ("queued", "retry", "local")
    tab.goto(f"{site.url}/audit")
    assert "1 message queued again" in tab.locator("tbody").inner_text()


def _message(site) -> Message:
    with site.app.state.read() as tx:
        (first, *_) = [p for p in store.parcels(tx) if p.part is Part.TEXT]
        item = store.incident(tx, first.incident)
    from sqlalchemy import select

    from monitor.store.bodies import from_body
    from monitor.store.schema import outbox

    with site.app.state.read() as tx:
        body = tx.connection.execute(select(outbox.c.body).where(outbox.c.id == first.id)).scalar_one()
    return replace(from_body(Message, body), seq=item.seq + 1)


def test_what_nobody_wanted_suggests_a_change_that_can_be_tried(site, tab):
    """Three that were no problem: the review shows the rule's precision, the line to change, and what it would do."""
    with site.app.state.write() as tx:
        (model,) = store.open_incidents(tx, RULE)
        for n in range(3):
            store.save_incident(tx, _dismissed(model, n))
    tab.goto(f"{site.url}/noise")
    cells = tab.locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells[0].startswith(RULE)
    assert (cells[1], cells[4], cells[6]) == ("4", "3", "25 %")
    assert '+    slices: {ignore: [{"device": "car"}]}' in tab.locator("pre").inner_text()
    tab.get_by_role("button", name="Try it").click()
    tab.locator(".tried .notice").wait_for(timeout=60_000)
    assert "incident now" in tab.locator(".tried").inner_text()


def _dismissed(model, n):
    since = model.since - timedelta(days=n + 1)
    return replace(
        model,
        id=f"sw-{n:010d}",
        cause=Slice.of({"device": "car"}),
        state=State.RESOLVED,
        since=since,
        raised_at=since + timedelta(hours=1),
        resolved_at=since + timedelta(hours=3),
        feedback=Feedback.LEAVE_OUT,
    )


def test_a_store_that_nobody_watches_says_so(site, tab):
    """No daemon, and then one that says it is there."""
    tab.goto(f"{site.url}/health")
    assert tab.get_by_text("No daemon is running on this store").is_visible()
    Presence.here(site.now).say(site.app.state, site.now)
    tab.reload()
    assert tab.locator("tbody .tag.done", has_text="there").count() == 1
    assert site.get("/api/v1/health").json()["work"][0]["rows"] > 0


def test_rules_are_silenced_from_a_page_and_told_of_again(site, tab):
    """Who wonders why nobody was told finds the silence, its reason and its end, and may end it; the store holds both."""
    tab.goto(f"{site.url}/silences")
    assert "everything that is found is told" in tab.locator("main").inner_text()
    tab.get_by_text("Silence rules").click()
    tab.get_by_label("Rules").first.fill("playback_*")
    tab.get_by_label("How long").fill("3h")
    tab.get_by_label("Why").fill("a move of the <b>warehouse</b>")
    tab.get_by_role("button", name="Silence", exact=True).click()
    assert "a move of the <b>warehouse</b>" in tab.locator("tbody").first.inner_text()
    with site.app.state.read() as tx:
        (held,) = store.silences(tx, site.now)
    assert (held.scope.rules, held.ends) == ("playback_*", site.now + timedelta(hours=3))

    site.now += timedelta(minutes=5)
    tab.get_by_role("button", name="End the silence").click()
    with site.app.state.read() as tx:
        assert store.silence(tx, held.id).ends == site.now
    assert "everything that is found is told" in tab.locator("main").inner_text()
    assert len(site.get("/api/v1/silences?over=true").json()) == 1


def test_a_change_is_marked_from_a_page_and_taken_back(site, tab):
    """What was released stands among the marks until somebody takes it back."""
    tab.goto(f"{site.url}/silences")
    tab.get_by_text("Say that something changed").click()
    tab.get_by_label("What").fill("app 7.3 released")
    tab.get_by_role("button", name="Mark it").click()
    assert [mark["text"] for mark in site.get("/api/v1/marks").json()] == ["app 7.3 released"]
    tab.get_by_role("button", name="Take back: app 7.3 released").click()
    assert site.get("/api/v1/marks").json() == []


@pytest.mark.parametrize(
    ("rules", "lasting", "said"),
    [("*", "soon", "write 30m, 2h or 3d"), ("*", "999999w", "write 30m"), ("nothing", "2h", "no rule is called")],
)
def test_a_silence_that_makes_no_sense_is_refused(site, tab, rules, lasting, said):
    """Nothing is silenced, and the page says what can be written."""
    tab.goto(f"{site.url}/silences")
    tab.get_by_text("Silence rules").click()
    tab.get_by_label("Rules").first.fill(rules)
    tab.get_by_label("How long").fill(lasting)
    tab.get_by_label("Why").fill("a slip")
    tab.get_by_role("button", name="Silence", exact=True).click()
    assert said in tab.locator("main").inner_text()
    assert site.get("/api/v1/silences").json() == []
    tab.wrong.clear()  # the answer's status, which the browser writes to its console
