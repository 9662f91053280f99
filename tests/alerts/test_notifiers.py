"""Every notifier passes the one contract; what only one can do is tested beside it."""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alerts.model import Change, Fact, SendError, State
from alerts.notifiers.alertmanager import AlertmanagerNotifier
from alerts.notifiers.apprise import AppriseNotifier
from alerts.notifiers.apprise import failure as failure_in
from alerts.notifiers.email import EmailNotifier
from alerts.notifiers.pagerduty import PagerDutyNotifier
from alerts.notifiers.pagerduty import action as pagerduty_action
from alerts.notifiers.slack import SlackNotifier
from alerts.notifiers.slack_webhook import SlackWebhookNotifier
from alerts.notifiers.webhook import WebhookNotifier, signature
from alerts.notifiers.webhook_body import WebhookBody, WebhookTerm, body_of, body_schema
from alerts.ports import HOLDS, Askable
from rules.model import Severity
from rules.slices import FOLDED, Slice
from tests.contracts.notifier_contract import RESOLVED, Bench, NotifierContract, Told, charted, delivery, failure, lossy
from tests.contracts.outbox_contract import NOW, message
from tests.standins.slack import Fault
from tests.standins.smtp import SmtpStandin, trusted
from tests.standins.web import (
    AlertmanagerStandin,
    JsonStandin,
    PagerDutyStandin,
    SlackWebhookStandin,
    WebhookStandin,
)

MRKDWN = re.compile(r'"type": "mrkdwn", "text": "((?:[^"\\\\]|\\\\.)*)"')
WAIT = 5.0
SECRET = "whsec_c3RhbmRpbi1zdGFuZGluLXN0YW5kaW4="


class SlackBench(Bench):
    """A bot's channel; the key of a message is its thread."""

    ASKS_SERVICE = True
    SAYS_ALL = False  # its small print is looked at in test_slack

    def notifier(self, timeout=WAIT):
        # Slack's own client counts whole seconds.
        return SlackNotifier("#oncall", self.standin.token, base_url=self.standin.url, timeout=timeout)

    def stranger(self):
        return SlackNotifier("#oncall", "xoxb-hush", base_url=self.standin.url)

    def told(self):
        calls = [call for call in self.standin.calls("chat.postMessage") if call.args.get("text")]
        return [self._told(call) for call in calls]

    def _told(self, call):
        words = json.dumps([call.args["text"], call.args.get("blocks")], ensure_ascii=False)
        return Told(call.args.get("thread_ts") or call.answer["ts"], words)

    def shut(self):
        self.standin.archived.add("C0ONCALL")

    def fail(self, fault):
        if fault.kind == "rate_limit_date":
            pytest.skip("Slack counts in seconds")
        super().fail(fault)

    def stopped(self):
        return self.standin.gone()


class TestSlack(NotifierContract):
    """Edits the first message, and replies in its thread."""

    @pytest.fixture
    def bench(self, slack):
        """With the stand-in of all tests."""
        return SlackBench(slack)

    def test_a_repetition_is_known_by_its_key(self, bench):
        """Slack's post has no key: a repetition carries the incident's id in its metadata."""
        for _ in range(2):
            bench.notifier().send(delivery())
        assert len({str(root["metadata"]) for root in bench.standin.roots()}) == 1


class SlackWebhookBench(Bench):
    """Posts only."""

    KEYED = False

    def notifier(self, timeout=WAIT):
        return SlackWebhookNotifier(self.standin.hook, timeout=timeout, allow_private=True)

    def stranger(self):
        return SlackWebhookNotifier(self.standin.url + "/services/hush", allow_private=True)

    def told(self):
        forms = [request.json() for request in self.standin.taken]
        return [Told("", json.dumps(form, ensure_ascii=False)) for form in forms]

    def check_harmless(self, told):
        """No mention and no tag in what Slack reads as mark-up."""
        form = json.loads(told.text)
        shown = [form["text"], *MRKDWN.findall(json.dumps(form["blocks"]))]
        assert len(shown) >= 5
        assert not any("<!" in text or "<script" in text for text in shown)


class TestSlackWebhook(NotifierContract):
    """Degraded, and says so."""

    @pytest.fixture
    def bench(self):
        """A webhook of its own."""
        with SlackWebhookStandin() as standin:
            yield SlackWebhookBench(standin)

    def test_the_first_message_says_what_the_channel_cannot_do(self, bench):
        """Nobody waits for an edit that never comes; the later ones need not repeat it."""
        notifier = bench.notifier()
        for plain in (False, True):
            notifier.send(delivery(plain=plain))
            assert "none is edited" in bench.told()[-1].text
        notifier.send(delivery(**RESOLVED))
        assert "none is edited" not in bench.told()[-1].text


class PagerDutyBench(Bench):
    """One alert for each incident."""

    SAYS_ALL = False

    def notifier(self, timeout=WAIT):
        return PagerDutyNotifier(self.standin.key, base_url=self.standin.url, timeout=timeout)

    def stranger(self):
        return PagerDutyNotifier("hush", base_url=self.standin.url)

    def told(self):
        forms = [request.json() for request in self.standin.taken]
        forms = [form for form in forms if form["dedup_key"] != "slicewatch-check"]
        return [Told(form["dedup_key"], self._said(form), form["event_action"] == "resolve") for form in forms]

    def _said(self, form):
        links = [link["href"] for link in form.get("links", ())]
        return " ".join([form.get("payload", {}).get("summary", ""), *links])


class TestPagerDuty(NotifierContract):
    """Events API v2."""

    @pytest.fixture
    def bench(self):
        """A service of its own."""
        with PagerDutyStandin() as standin:
            yield PagerDutyBench(standin)

    def test_an_alert_carries_what_the_message_says(self, bench):
        """Severity, the start, the runbook as a link, every fact; and nothing stays open once it is over."""
        fields = {"severity": Severity.CRITICAL, "runbook_url": "https://wiki.example.com/loss"}
        notifier = bench.notifier()
        notifier.send(delivery(**fields, facts=(Fact("Owner", "recs"),)))
        (alert,) = bench.standin.alerts.values()
        assert alert["dedup_key"] == "slicewatch/sw-1"
        assert (alert["payload"]["severity"], alert["payload"]["timestamp"]) == ("critical", NOW.isoformat())
        assert alert["links"] == [{"href": "https://wiki.example.com/loss", "text": "Runbook"}]
        assert alert["payload"]["custom_details"]["Owner"] == "recs"
        notifier.send(delivery(**RESOLVED))
        assert bench.standin.alerts == {}

    @pytest.mark.parametrize(
        ("change", "state", "action"),
        [
            (Change.OPENED, State.RESOLVED, "trigger"),  # a new value: somebody should see it
            (Change.FROZEN, State.UNKNOWN, "trigger"),  # unknown never resolves
            (Change.ACKNOWLEDGED, State.ACKNOWLEDGED, "acknowledge"),
            (Change.SNOOZED, State.SNOOZED, "acknowledge"),
            (Change.EXPIRED, State.FIRING, "trigger"),
            (Change.DISMISSED, State.RESOLVED, "resolve"),
            (Change.ABSORBED, State.RESOLVED, "resolve"),
            (Change.REMOVED, State.RESOLVED, "resolve"),
        ],
    )
    def test_each_state_has_its_action(self, change, state, action):
        """What is open stays open, what is over is resolved."""
        assert pagerduty_action(replace(message(), change=change, state=state)) == action

    def test_an_end_that_is_the_first_it_hears_is_not_lost(self, bench):
        """An incident told and resolved as one opens an alert and closes it: one it does not know, it would not close."""
        bench.notifier().send(delivery(**RESOLVED))
        assert bench.standin.alerts == {}
        assert len(bench.told()) == 2


class EmailBench(Bench):
    """Mails in one thread."""

    KNOWS_WAITING = False
    FILE = "CSV to reprocess: attached"

    def notifier(self, timeout=WAIT, **more):
        return self._made("standin", timeout=timeout, **more)

    def _made(self, password, **more):
        options = {"username": "slicewatch", "password": password, "context": trusted(), "port": self.standin.port}
        return EmailNotifier(
            "localhost", "slicewatch@example.com", ("a@example.com", "b@example.com"), **options | more
        )

    def stranger(self):
        return self._made("hush")

    def told(self):
        return [self._told(mail) for mail in self.standin.mails]

    def _told(self, mail):
        root = mail["References"] or mail["Message-ID"]
        return Told(root, mail["Subject"] + mail.get_body(("plain",)).get_content())

    def fail(self, fault):
        status = {500: 451, 502: 421}.get(fault.status, fault.status) if fault.kind == "status" else 421
        kind = "status" if fault.kind == "down" else fault.kind
        super().fail(replace(fault, kind=kind, status=status))

    def check_harmless(self, told):
        """No header was added, no tag is open, no link leads to a script."""
        assert "script" in told.text
        (mail,) = self.standin.mails
        assert "Bcc" not in mail
        html = mail.get_body(("html",)).get_content()
        assert "<script" not in html
        assert 'href="javascript' not in html

    def shut(self):
        self.standin.unknown |= {"a@example.com", "b@example.com"}


class TestEmail(NotifierContract):
    """SMTP with STARTTLS and a login."""

    @pytest.fixture
    def bench(self):
        """A mail server of its own."""
        with SmtpStandin() as standin:
            yield EmailBench(standin)

    def test_a_mail_has_text_html_and_the_chart_inside(self, bench):
        """The picture is part of the HTML, and whoever reads text only misses no word."""
        bench.notifier().send(delivery(**charted()))
        (mail,) = bench.standin.mails
        html = mail.get_body(("html",)).get_content()
        (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
        assert f"cid:{picture['Content-ID'].strip('<>')}" in html
        assert picture.get_content().startswith(b"\x89PNG")
        assert bench.standin.envelopes == [("slicewatch@example.com", ("a@example.com", "b@example.com"))]
        assert mail["Auto-Submitted"] == "auto-generated"

    def test_what_to_load_again_is_attached(self, bench):
        """As CSV, in the mail that says so; the plain form goes without and says how to get it."""
        for plain in (False, True):
            bench.notifier().send(delivery(plain=plain, **lossy()))
        rich, plain_one = bench.standin.mails
        (attached,) = rich.iter_attachments()
        assert (attached.get_content_type(), attached.get_filename()) == ("text/csv", "reprocess-sw-1.csv")
        assert attached.get_content().splitlines()[1].endswith("ios,2026-11-23T15:00:00Z,2026-11-23T17:00:00Z,8,3,5")
        assert "CSV to reprocess: attached" in rich.get_body(("html",)).get_content()
        assert "slicewatch explain sw-1 --csv" in plain_one.get_content()

    def test_later_mails_answer_the_first(self, bench):
        """In-Reply-To and References name it, so that mail programs show one thread."""
        notifier = bench.notifier()
        root = notifier.send(delivery())
        assert notifier.send(delivery(root, **RESOLVED)) == root
        first, later = bench.standin.mails
        assert later["In-Reply-To"] == later["References"] == first["Message-ID"] == root.ref
        assert later["Subject"] == "RESOLVED it is back"

    def test_one_address_that_nobody_has_stops_no_other(self, bench, caplog):
        """The rest gets its mail; the log names the one."""
        bench.standin.unknown.add("a@example.com")
        bench.notifier().send(delivery())
        assert bench.standin.envelopes[0][1] == ("b@example.com",)
        assert "does not take mail for a@example.com" in caplog.text

    @pytest.mark.parametrize(
        ("command", "status", "wanted"),
        [("MAIL", 550, (True, False)), ("MAIL", 451, (False, False)), ("AUTH", 454, (False, False))],
    )
    def test_a_refusal_before_the_mail_is_no_delivery(self, bench, command, status, wanted):
        """A 5 is the server's last word, a 4 is not."""
        bench.fail(Fault("status", status=status, methods=(command,)))
        error = failure(bench.notifier())
        assert (error.permanent, error.unknown) == wanted

    def test_a_connection_that_ends_before_the_mail_is_no_delivery(self, bench):
        """It is tried again without the fear of a second one."""
        bench.fail(Fault("cut_before", methods=("RCPT",)))
        error = failure(bench.notifier())
        assert (error.permanent, error.unknown) == (False, False)

    def test_a_server_without_starttls_gets_neither_password_nor_mail(self, bench):
        """Nothing goes over the open line unless `security = "none"` says so."""
        bench.standin.offers = ("AUTH PLAIN",)
        error = failure(bench.notifier())
        assert error.permanent
        assert "STARTTLS" in str(error)
        bench.notifier(security="none").send(delivery())
        assert len(bench.standin.mails) == 1

    def test_a_certificate_that_nobody_vouches_for_is_refused(self, bench):
        """Permanent: somebody has to look."""
        error = failure(bench.notifier(context=None))
        assert error.permanent
        assert "certificate" in str(error)

    def test_tls_from_the_first_byte(self):
        """As port 465 has it."""
        with SmtpStandin(tls=True) as standin:
            EmailBench(standin).notifier(security="tls").send(delivery())
            assert len(standin.mails) == 1


class WebhookBench(Bench):
    """JSON to a program of one's own."""

    def notifier(self, timeout=WAIT, **more):
        options = {
            "token": self.standin.token,
            "secret": SECRET,
            "allow_private": True,
            "clock": lambda: 1_790_000_000.5,
        }
        return WebhookNotifier(f"{self.standin.url}/hook", timeout=timeout, **options | more)

    def stranger(self):
        return self.notifier(token="hush")

    def rich(self):
        return charted()

    def told(self):
        bodies = [request.json() for request in self.standin.taken]
        return [Told(body["incident"], body["text"] + body["push"], body["state"] == "resolved") for body in bodies]


class TestWebhook(NotifierContract):
    """Signed, versioned, and not into the private network unless that is meant."""

    @pytest.fixture
    def bench(self):
        """A program of its own."""
        with WebhookStandin() as standin:
            yield WebhookBench(standin)

    def test_a_service_is_asked_without_being_told_anything(self, bench):
        """There is no question that any program would understand: it is not asked."""
        assert not isinstance(bench.notifier(), Askable)

    def test_a_body_is_signed_as_standard_webhooks_lays_down(self, bench):
        """HMAC-SHA256 over id, time and body, so that neither can be changed and an old one is known to be old."""
        bench.notifier().send(delivery())
        (request,) = bench.standin.taken
        assert (request.headers["webhook-id"], request.headers["webhook-timestamp"]) == ("sw-1/1", "1790000000")
        signed = b"sw-1/1.1790000000." + request.body
        mac = hmac.new(b64decode(SECRET.removeprefix("whsec_")), signed, "sha256").digest()
        assert request.headers["webhook-signature"] == f"v1,{b64encode(mac).decode()}"

    def test_the_example_of_standard_webhooks_is_signed_alike(self):
        """Their own test vector."""
        secret, body = "whsec_plJ3nmyCDGBKInavdOK15jsl", b'{"event_type":"ping","data":{"success":true}}'
        name, at = "msg_loFOjxBNrRLzqYUf", "1731705121"
        assert signature(secret, name, at, body) == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/"]
    )
    def test_an_address_of_this_machine_is_refused_unless_it_is_meant(self, bench, url):
        """However it is written: by the address that the name leads to."""
        error = failure(WebhookNotifier(url.format(port=bench.standin.port), token=bench.standin.token))
        assert error.permanent
        assert "allow_private" in str(error)
        assert bench.standin.taken == []

    def test_a_redirect_is_not_followed(self, bench):
        """It could lead anywhere, into the private network too."""
        bench.fail(Fault("status", status=302))
        error = failure(bench.notifier())
        assert error.permanent
        assert "redirects are not followed" in str(error)

    def test_a_secret_that_is_no_base64_is_told_as_such(self, bench):
        """With the words that say what to mend, and without the secret."""
        error = failure(bench.notifier(secret="whsec_hush!"))
        assert error.permanent
        assert "hush" not in str(error)

    def test_the_body_is_what_the_schema_says(self):
        """NULL, the folded rest and a string of that name stay apart; the charts come along."""
        cause = Slice((("device", None), ("os", FOLDED), ("country", "(other, folded)")))
        body = json.loads(body_of(replace(message(), cause=cause, **charted())))
        assert WebhookBody.model_validate(body).cause == (
            WebhookTerm(dimension="device", value=None, folded=False),
            WebhookTerm(dimension="os", value="(other, folded)", folded=True),
            WebhookTerm(dimension="country", value="(other, folded)", folded=False),
        )
        assert set(body) == set(body_schema()["properties"]) == set(body_schema()["required"])
        assert body["chart"]["observed"] == [5.0, 4.0, 0.0]


class AlertmanagerBench(Bench):
    """Alerts by their labels."""

    def notifier(self, timeout=WAIT):
        return AlertmanagerNotifier(self.standin.url + "/", username="standin", password="pass", timeout=timeout)

    def stranger(self):
        return AlertmanagerNotifier(self.standin.url, username="standin", password="hush")

    def told(self):
        posted = [request.json()[0] for request in self.standin.taken if request.method == "POST"]
        return [self._told(alert) for alert in posted]

    def _told(self, alert):
        words = " ".join(alert["annotations"].values())
        return Told(alert["labels"]["incident"], words, datetime.fromisoformat(alert["endsAt"]) <= NOW)


class TestAlertmanager(NotifierContract):
    """API v2."""

    @pytest.fixture
    def bench(self):
        """An Alertmanager of its own."""
        with AlertmanagerStandin() as standin:
            yield AlertmanagerBench(standin)

    def test_an_alert_fires_until_it_is_over(self, bench):
        """For as long as it holds where nobody sends it again; and not a moment longer than it lasts."""
        notifier = bench.notifier()
        root = notifier.send(delivery())
        (alert,) = bench.standin.firing(NOW + HOLDS - timedelta(minutes=1))
        assert alert["labels"] == {
            "alertname": "playback_volume",
            "severity": "warning",
            "incident": "sw-1",
            "source": "slicewatch",
        }
        notifier.send(delivery(root, **RESOLVED))
        assert bench.standin.firing(NOW) == []

    def test_an_incident_that_grew_louder_fires_once(self, bench):
        """Its severity is a label: the alert that it was before is over."""
        notifier = bench.notifier()
        root = notifier.send(delivery())
        notifier.send(delivery(root, seq=2, change=Change.ESCALATED, severity=Severity.CRITICAL))
        assert [alert["labels"]["severity"] for alert in bench.standin.firing(NOW)] == ["critical"]

    def test_a_value_that_is_new_fires_for_an_hour(self, bench):
        """Nothing stays open of it, and an alert that is over at once would wake nobody."""
        bench.notifier().send(delivery(state=State.RESOLVED))
        assert len(bench.standin.firing(NOW + timedelta(minutes=59))) == 1
        assert bench.standin.firing(NOW + timedelta(hours=1)) == []


class AppriseBench(Bench):
    """Apprise's service for JSON, whose answers it hands on in words only."""

    KEYED = False
    KNOWS_WAITING = False
    KNOWS_OUTCOME = False
    RICH = False
    LOGIN = False
    ASKS_SERVICE = False

    def notifier(self, timeout=WAIT):
        return AppriseNotifier(f"json://127.0.0.1:{self.standin.port}/?rto={timeout}&cto={timeout}")

    def told(self):
        forms = [request.json() for request in self.standin.taken]
        return [Told("", f"{form['title']} {form['message']}", form["type"] == "success") for form in forms]


# It loads all its services, and these load what other Pythons deprecate.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestApprise(NotifierContract):
    """Over Apprise's own client."""

    @pytest.fixture
    def bench(self):
        """A service of its own."""
        with JsonStandin() as standin:
            yield AppriseBench(standin)

    @pytest.mark.parametrize(
        ("told", "wanted"),
        [
            ("Failed to send Teams notification: Unauthorized, error=401.", (True, None, False)),
            ("Failed to send Teams notification: Too many, error=429.", (False, 60.0, False)),
            ("Failed to send Teams notification: error=503.", (False, None, False)),
            ("A Connection error occurred sending Teams notification.", (False, None, True)),
            ("", (False, None, True)),
        ],
    )
    def test_an_error_is_read_from_its_words(self, told, wanted):
        """Where they name a status; otherwise nobody knows whether it arrived."""
        error = failure_in(told)
        assert (error.permanent, error.retry_after, error.unknown) == wanted

    @pytest.mark.parametrize("url", ["nonsense://x", "", "json://127.0.0.1 json://127.0.0.2"])
    def test_a_url_that_is_none_or_several_is_permanent(self, url):
        """Two services in one receiver could not be told apart: one would get all twice."""
        with pytest.raises(SendError) as caught:
            AppriseNotifier(url).ask()
        assert caught.value.permanent
