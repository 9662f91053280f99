"""The list of incidents and the page of one: what is known, what people do, and what that comes to in the store."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO

import pytest

from alerts.model import Feedback, State
from monitor import store
from monitor.acting import Desk
from tests.dashboards.web.people import KARI
from tests.standins.browser import unusable

pytestmark = pytest.mark.xdist_group("web")


def incident_of(site, name):
    with site.app.state.read() as tx:
        return store.incident(tx, name)


def test_a_person_finds_the_incident_and_acts_on_it(site, tab):
    """From the list to the page; each action says what it did, and is what the store holds afterwards."""
    name = site.incident
    tab.goto(site.url + "/incidents")
    tab.get_by_role("link", name="device=iphone").click()
    tab.wait_for_selector(".chart[data-ready]")
    assert tab.locator(".chart").count() == 5
    assert "device=iphone stopped" in tab.locator("h1").inner_text()
    assert unusable(tab) == []

    tab.get_by_role("button", name="Acknowledge").click()
    assert "Acknowledged by local until" in tab.locator("[data-told]").inner_text()
    assert incident_of(site, name).state is State.ACKNOWLEDGED
    tab.reload()
    assert tab.locator("main .state.acknowledged").first.is_visible()

    site.now += timedelta(minutes=2)
    tab.get_by_role("button", name="Take back").click()
    assert incident_of(site, name).state is State.FIRING

    site.now += timedelta(minutes=2)
    tab.get_by_label("Snooze").select_option("2h")
    tab.get_by_role("button", name="Snooze").click()
    assert incident_of(site, name).hush.until == site.now + timedelta(hours=2)

    tab.get_by_text("Silence it").click()
    tab.get_by_label("How long").fill("3h")
    tab.get_by_label("Why").fill("app 7.3 <b>is rolled back</b>")
    tab.get_by_role("button", name="Silence").click()
    assert "app 7.3 <b>is rolled back</b>" in tab.locator(".notice:not([data-told])").inner_text()
    with site.app.state.read() as tx:
        (held,) = store.silences(tx, site.now)
    assert (held.ends, held.scope.label()) == (site.now + timedelta(hours=3), "playback_volume device=iphone")

    site.now += timedelta(minutes=2)
    tab.reload()
    tab.get_by_text("It is not a problem").click()
    tab.get_by_role("button", name="An exception").click()
    assert incident_of(site, name).feedback is Feedback.LEAVE_OUT
    assert tab.locator("main .state.resolved").first.is_visible()
    assert tab.get_by_role("button", name="Acknowledge").count() == 0
    assert [line.split()[-1] for line in tab.locator(".timeline .tag").all_inner_texts()][:2] == [
        "dismissed",
        "silence",
    ]


def test_what_makes_no_sense_is_refused_with_a_sentence(site, tab):
    """A snooze until something that is no time changes nothing, and says what can be written."""
    tab.goto(f"{site.url}/incidents/{site.incident}")
    tab.get_by_label("or until").fill("whenever")
    tab.get_by_role("button", name="Snooze").click()
    assert "write 30m or 2h" in tab.locator("main").inner_text()
    assert incident_of(site, site.incident).state is State.FIRING
    tab.wrong.clear()  # the answer's status, which the browser writes to its console


def test_the_page_adds_up_with_the_message(site):
    """The loss is told as the message tells it; iphone has all of it, and within it the shares make a whole."""
    page = site.get(f"/api/v1/incidents/{site.incident}").json()
    assert page["message"]["title"] == "CRITICAL playback_volume: device=iphone stopped"
    beside, *within = page["differing"]
    assert (beside["dimension"], beside["shares"][0]["is_cause"]) == ("device", True)
    assert beside["shares"][0]["expected"] == pytest.approx(page["line"]["expected"], rel=0.1)
    versions = next(part for part in within if part["dimension"] == "app_version")
    assert sum(share["of_loss"] for share in versions["shares"]) == pytest.approx(1.0, abs=0.05)
    assert [d["receiver"] for d in page["deliveries"] if d["send"]] == ["console"]
    assert [panel["name"] for panel in page["panels"]][:2] == ["device=iphone", "every event"]


def test_a_past_incident_of_the_same_cause_says_how_it_ended(site):
    """Closed as no problem: the next one of that cause names it, with what was said of it."""
    first = site.incident
    Desk(site.app).not_a_problem(first, KARI, site.now, Feedback.LEAVE_OUT)
    again = incident_of(site, first)
    with site.app.state.write() as tx:
        store.save_incident(tx, again.__class__(**{**vars(again), "id": "sw-later", "feedback": None, "seq": 1}))
    (past,) = site.get("/api/v1/incidents/sw-later").json()["alike"]
    assert (past["line"]["id"], past["how"], past["line"]["feedback"]) == (first, "same cause", "leave-out")
    assert "Kari says it is no problem" in past["ended"]


def test_an_incident_whose_rule_is_gone_keeps_its_page(site):
    """What was told stands there with the curves of that time; nothing can be worked out, and no rule be silenced."""
    site.app.rules = site.app.rules.__class__()
    answer = site.get(f"/incidents/{site.incident}")
    assert answer.status_code == 200
    assert "The rule is in no file any more" in answer.text
    page = site.get(f"/api/v1/incidents/{site.incident}").json()
    assert [panel["name"] for panel in page["panels"]] == ["device=iphone", "every event"]
    assert page["differing"] == []


def test_the_list_is_narrowed_down_by_its_filters(site):
    """By what still lasts, severity, owner, rule and when it began; the same filters hold for CSV."""
    for query, found in [
        ("", 1),
        ("lasting=resolved", 0),
        ("state=firing&severity=critical&owner=recs-data&rule=playback_volume", 1),
        ("severity=warning", 0),
        ("owner=nobody", 0),
        ("since=2026-03-04&until=2026-03-05", 1),
        ("until=2026-03-04T08:00Z", 0),
        ("state=&severity=&rule=", 1),
        ("page=1", 0),
    ]:
        assert len(site.get(f"/api/v1/incidents?{query}").json()["rows"]) == found, query
    (row,) = csv.DictReader(StringIO(site.get("/incidents.csv?severity=critical").text))
    assert (row["id"], row["cause"], row["observed"]) == (site.incident, "device=iphone", "0.0")
    assert site.get("/incidents?since=yesterday").status_code == 422
    assert site.get("/incidents/sw-nothing").status_code == 404


def test_a_post_mortem_begins_with_what_is_known(site):
    """As Markdown, whose mark-up nothing from outside can add to, and as JSON."""
    text = site.get(f"/incidents/{site.incident}/export.md")
    assert text.headers["content-disposition"] == f'attachment; filename="{site.incident}.md"'
    assert "# CRITICAL playback\\_volume: device=iphone stopped" in text.text
    assert "| iphone | 0 |" in text.text
    assert site.get(f"/incidents/{site.incident}/export.json").json()["line"]["id"] == site.incident


def post(site, path, body=None, method="POST"):
    """As a page of the site would: with its cookie and its token."""
    page = site.get("/incidents")
    token = page.text.split('name="csrf" content="')[1].split('"')[0]
    cookie = page.headers["set-cookie"].split(";")[0]
    headers = {"X-CSRF-Token": token, "Cookie": cookie}
    return site.send(method, path, json=body, headers=headers)


def test_programs_do_the_same_by_the_api(site):
    """Acknowledge, snooze, take back; twice is once; what is not there is 404, what makes no sense 409."""
    path = f"/api/v1/incidents/{site.incident}"
    answer = post(site, f"{path}/acknowledge").json()
    assert (answer["state"], answer["changed"]) == ("acknowledged", True)
    assert post(site, f"{path}/acknowledge").json()["changed"] is False
    assert post(site, f"{path}/snooze", {"until": "30m"}).json()["state"] == "snoozed"
    assert post(site, f"{path}/reopen").json()["state"] == "firing"
    site.now += timedelta(minutes=1)
    assert post(site, f"{path}/snooze", {"until": "never"}).status_code == 409
    assert post(site, "/api/v1/incidents/sw-nothing/acknowledge").status_code == 404
    assert site.send("POST", f"{path}/acknowledge").status_code == 403
    assert post(site, f"{path}/not-a-problem", {"feedback": "new-normal"}).json()["state"] == "resolved"


def test_programs_silence_and_mark(site):
    """Added, listed, ended; a rule or a dimension that there is not is a slip of the pen, not a silence."""
    ends = (site.now + timedelta(hours=2)).isoformat()
    wanted = {"rules": "playback_*", "slice": {"device": "ios"}, "ends": ends, "reason": "deploy"}
    made = post(site, "/api/v1/silences", wanted).json()
    assert [s["id"] for s in site.get("/api/v1/silences").json()] == [made["id"]]
    assert post(site, f"/api/v1/silences/{made['id']}/end").json()["ends"] == "2026-03-04T11:00:00Z"
    assert site.get("/api/v1/silences").json() == []
    assert len(site.get("/api/v1/silences?over=true").json()) == 1
    for wrong in ({"rules": "playbck_volume"}, {"slice": {"devise": "ios"}}, {"owner": "nobody"}):
        assert post(site, "/api/v1/silences", wanted | wrong).status_code == 409, wrong
    mark = post(site, "/api/v1/marks", {"text": "app 7.3", "rules": "playback_volume"}).json()
    assert [m["text"] for m in site.get("/api/v1/marks").json()] == ["app 7.3"]
    assert post(site, f"/api/v1/marks/{mark['id']}", method="DELETE").json()["text"] == "app 7.3"
    assert post(site, f"/api/v1/marks/{mark['id']}", method="DELETE").status_code == 404
    with site.app.state.read() as tx:
        assert [a.action for a in store.actions(tx, mark["id"])] == ["mark", "remove mark"]


def test_what_no_field_can_hold_is_not_understood(site):
    """A slice that is none, a time beyond all dates, an id or a name that no database takes: 422 each, never a failure."""
    wanted = {"rules": "*", "ends": "2026-03-04T13:00:00Z", "reason": "deploy"}
    for wrong in (
        {"slice": 5},
        {"slice": {"device": 5}},
        {"ends": "0001-01-01T00:00:00+14:00"},
        {"ends": "2026-03-04T13:00:00"},
        {"labels": {"a": 5}},
    ):
        assert post(site, "/api/v1/silences", wanted | wrong).status_code == 422, wrong
    assert post(site, f"/api/v1/incidents/{site.incident}/snooze", {"until": "mañana"}).status_code == 422
    for path in ("incidents/%00", "incidents?rule=%00", "incidents?since=0001-01-01T00:00%2B14:00", "marks?since=now"):
        assert site.get(f"/api/v1/{path}").status_code == 422, path


def test_the_description_of_the_api_tells_of_slices(site):
    """An object of values, where NULL and the folded rest are told apart from strings."""
    described = site.get("/api/v1/openapi.json").json()["components"]["schemas"]
    assert described["NewSilence"]["properties"]["slice"]["type"] == "object"
