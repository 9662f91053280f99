"""What every notifier promises, tried against a real server on loopback that answers as its service does.

To hold one to it, derive a class with a `bench` fixture, which says how its service is told of and what it can do:

    class TestMine(NotifierContract):
        @pytest.fixture
        def bench(self):
            with MineStandin() as standin:
                yield MineBench(standin)
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from alerts.model import Change, Fact, Message, Receipt, Reprocess, SendError, Series, State, Stretch
from alerts.ports import Askable, Delivery, Notifier, Part
from alerts.wording import clean
from rules.model import Severity
from rules.slices import Slice
from tests.contracts.outbox_contract import NOW, message
from tests.standins.slack import Fault

HOSTILE = '<script>alert(1)</script> <!channel> & "quoted" *bold*\r\nBcc: all@example.com\r\n\u202e\u05e9\u05dc\u05d5\u05dd\x00 '
LINE = Series(tuple(NOW + timedelta(hours=n) for n in range(3)), (5, 4, 0), (5, 5, 5), (3, 3, 3), (7, 7, 7))
WIDENED = {"seq": 2, "change": Change.WIDENED, "push": "WARNING it is wider", "title": "wider"}
RESOLVED = {
    "seq": 3,
    "change": Change.RESOLVED,
    "state": State.RESOLVED,
    "push": "RESOLVED it is back",
    "title": "back",
}


@dataclass(frozen=True)
class Told:
    """What arrived: under which key of the service's own, its words, and whether it says that it is over."""

    key: str
    text: str
    over: bool | None = None
    """None where the service knows no state."""


class Bench:
    """How a test speaks with one kind of service. What a kind cannot do is said here, once."""

    KEYED: ClassVar[bool] = True
    """Whether the service knows messages of one incident by its key."""
    KNOWS_WAITING: ClassVar[bool] = True
    """Whether it says for how long to wait."""
    KNOWS_OUTCOME: ClassVar[bool] = True
    """Whether a connection that is refused can be told from one that is cut."""
    RICH: ClassVar[bool] = True
    """Whether it has a plain form beside a rich one."""
    LOGIN: ClassVar[bool] = True
    """Whether it wants a secret that can be wrong."""
    ASKS_SERVICE: ClassVar[bool] = True
    """Whether `ask` asks the service."""
    SAYS_ALL: ClassVar[bool] = True
    """Whether all words of a message are told."""
    FILE: ClassVar[str] = "slicewatch explain sw-1 --csv"
    """Where the message says that its file is."""
    WITHHELD: ClassVar[str] = "hush"
    """The secret that no error may repeat."""

    def __init__(self, standin: Any) -> None:
        self.standin = standin

    def notifier(self, **options: Any) -> Notifier:
        """One that is set up rightly."""
        raise NotImplementedError

    def stranger(self) -> Notifier:
        """One with a secret that the service does not know."""
        raise NotImplementedError

    def told(self) -> list[Told]:
        """What the service took, oldest first."""
        raise NotImplementedError

    def rich(self) -> dict[str, Any]:
        """Fields of a message that has a rich form."""
        return {"facts": (Fact("Owner", "recs"),)}

    def check_harmless(self, told: Told) -> None:
        """What else must hold of a message that means harm; by kind."""

    def fail(self, fault: Fault) -> None:
        """Let something go wrong."""
        self.standin.faults.append(fault)

    def shut(self) -> None:
        """The channel or service that is written to is no more."""
        self.standin.gone = True

    def stopped(self) -> AbstractContextManager[None]:
        """Nobody listens meanwhile."""
        stopped: AbstractContextManager[None] = self.standin.stopped()
        return stopped


def delivery(root: Receipt | None = None, part: Part = Part.TEXT, *, plain: bool = False, **fields: Any) -> Delivery:
    """A delivery of a message, with other fields than usual."""
    made: Message = replace(message(), **fields)
    return Delivery("1", "team", part, made, 0, NOW, root=root, plain=plain)


def charted() -> dict[str, Any]:
    """What a message with a chart has besides."""
    return {"chart": LINE, "total_chart": LINE}


def lossy() -> dict[str, Any]:
    """What the end of a loss has besides."""
    lost = Stretch(Slice((("device", "ios"),)), NOW, NOW + timedelta(hours=2), 3.0, 8.4)
    return RESOLVED | {"reprocess": Reprocess("lake.playback", "count", ("device",), (lost,))}


def hostile() -> dict[str, Any]:
    """A message whose every word comes from somebody who means harm, as long as a message may be."""
    words = clean(HOSTILE, 200)
    return {
        "rule": words[:60],
        "push": words[:150],
        "title": words[:150],
        "summary": (words * 12, "x" * 2_800, "\u05e9\u05dc\u05d5\u05dd " * 500, "\n".join("ab")),
        "facts": tuple(Fact(f"Fact {n}", words) for n in range(12)),
        "cause": Slice((("device", HOSTILE), ("os", None))),
        "query": "SELECT '<b>' FROM t WHERE a < 1 AND b = '```'\n" * 50,
        "runbook_url": "javascript:alert(1)",
        "severity": Severity.CRITICAL,
        **charted(),
    }


def failure(notifier: Notifier, item: Delivery | None = None) -> SendError:
    """The error that a send ends with."""
    with pytest.raises(SendError) as caught:
        notifier.send(item or delivery())
    return caught.value


class NotifierContract:
    """Derive from it; `bench` is the only fixture it needs."""

    def test_a_message_arrives_in_its_words(self, bench):
        """Its push text is in what the service took, and a receipt comes back."""
        receipt = bench.notifier().send(delivery())
        assert isinstance(receipt, Receipt)
        (told,) = bench.told()
        assert "push 1" in told.text or "a paragraph" in told.text

    def test_it_says_where_the_incident_is_looked_at(self, bench):
        """Where pages are served that others reach: whoever is woken needs one press to see more."""
        bench.notifier().send(delivery(page_url="https://watch.example.com/incidents/sw-1"))
        (told,) = bench.told()
        assert "https://watch.example.com/incidents/sw-1" in told.text

    def test_the_course_of_an_incident_arrives_in_order(self, bench):
        """Opened, wider, over: three messages of one key, and the last one is over."""
        notifier, root = bench.notifier(), None
        for fields in ({}, WIDENED, RESOLVED):
            root = notifier.send(delivery(root, **fields))
        told = bench.told()
        assert [item.over for item in told] in ([False, False, True], [None] * len(told))
        assert len(told) >= 3
        if bench.KEYED:
            assert len({item.key for item in told}) == 1

    def test_a_repetition_is_known_by_its_key(self, bench):
        """A message sent again has the key that it had; another incident has its own."""
        if not bench.KEYED:
            pytest.skip("the service has no keys")
        notifier = bench.notifier()
        for key in ("sw-1", "sw-1", "sw-2"):
            notifier.send(delivery(key=key))
        first, again, other = (item.key for item in bench.told())
        assert first == again != other

    def test_a_chart_never_fails_its_text(self, bench):
        """It arrives, or its delivery ends without a word, and its receipt names the same message."""
        notifier = bench.notifier()
        root = notifier.send(delivery(**charted()))
        assert notifier.send(delivery(root, Part.CHART, **charted())) == root

    def test_a_file_never_fails_its_text(self, bench):
        """It arrives, or its delivery ends without a word; the text says where what is in it is to be had."""
        notifier = bench.notifier()
        root = notifier.send(delivery())
        assert notifier.send(delivery(root, **lossy())) == root
        told = bench.told()[-1].text
        assert notifier.send(delivery(root, Part.FILE, **lossy())) == root
        if bench.SAYS_ALL:
            assert bench.FILE in told

    @pytest.mark.parametrize(
        ("fault", "wanted"),
        [
            (Fault("status", status=500), {}),
            (Fault("status", status=502), {}),
            (Fault("down"), {}),
            (Fault("refuse_blocks"), {"refused": True}),
            (Fault("rate_limit", seconds=7), {"retry_after": 7.0}),
            (Fault("rate_limit_date", seconds=90), {"retry_after": 90.0}),
            (Fault("rate_limit", seconds=86_400), {"retry_after": 3_600.0}),
            (Fault("cut_before"), {"unknown": True}),
            (Fault("cut_after"), {"unknown": True}),
        ],
        ids=lambda value: f"{value.kind}-{value.status}-{value.seconds:g}" if isinstance(value, Fault) else "",
    )
    def test_errors_are_classified(self, bench, fault, wanted):
        """Each failure says whether a retry helps, when, and whether the message may have arrived all the same."""
        if not self.applies(bench, fault):
            pytest.skip("it cannot happen to this kind")
        bench.fail(fault)
        error = failure(bench.notifier(), delivery(**bench.rich()))
        found = {name: getattr(error, name) for name in ("permanent", "retry_after", "unknown", "refused")}
        assert found == {"permanent": False, "retry_after": None, "unknown": False, "refused": False} | wanted
        assert bench.WITHHELD not in str(error)

    @staticmethod
    def applies(bench: Bench, fault: Fault) -> bool:
        """Whether a fault can happen to the kind."""
        if fault.kind.startswith("rate_limit"):
            return bench.KNOWS_WAITING
        return bench.RICH or fault.kind != "refuse_blocks"

    def test_a_slow_answer_may_have_been_a_delivery(self, bench):
        """The answer came too late; the message arrived."""
        bench.fail(Fault("slow", times=1, seconds=1.0))
        assert failure(bench.notifier(timeout=0.2)).unknown

    def test_a_refused_connection_is_no_delivery(self, bench):
        """Nobody listens: it is tried again, and cannot arrive twice because of it."""
        notifier = bench.notifier()
        with bench.stopped():
            error = failure(notifier)
        assert (error.permanent, error.retry_after) == (False, None)
        assert error.unknown is not bench.KNOWS_OUTCOME

    def test_a_wrong_secret_is_permanent(self, bench):
        """Somebody has to change the settings; the secret stays out of what is said."""
        if not bench.LOGIN:
            pytest.skip("it has none")
        error = failure(bench.stranger())
        assert (error.permanent, error.refused) == (True, False)
        assert bench.WITHHELD not in str(error)

    def test_a_channel_that_is_gone_is_permanent(self, bench):
        """No retry brings it back: the fallback is told at once."""
        bench.shut()
        assert failure(bench.notifier()).permanent

    def test_what_is_refused_passes_in_its_plain_form(self, bench):
        """And it says what the rich one said."""
        if not bench.RICH:
            pytest.skip("it has one form only")
        bench.fail(Fault("refuse_blocks"))
        notifier = bench.notifier()
        assert failure(notifier, delivery(**bench.rich())).refused
        notifier.send(delivery(plain=True, **bench.rich()))
        assert "push 1" in bench.told()[-1].text or "a paragraph" in bench.told()[-1].text

    def test_hostile_words_arrive_and_do_nothing(self, bench):
        """Mark-up, line ends, other reading directions, 10,000 characters: within the service's limits, as text."""
        bench.notifier().send(delivery(**hostile()))
        (told,) = bench.told()
        assert "\u202e" not in told.text
        assert "\x00" not in told.text
        bench.check_harmless(told)

    def test_a_service_is_asked_without_being_told_anything(self, bench):
        """`check --online` leaves no message behind, and sees a secret that is wrong."""
        notifier = bench.notifier()
        assert isinstance(notifier, Askable)
        notifier.ask()
        assert bench.told() == []
        if bench.ASKS_SERVICE and bench.LOGIN:
            stranger = bench.stranger()
            with pytest.raises(SendError) as caught:
                stranger.ask()
            assert caught.value.permanent
