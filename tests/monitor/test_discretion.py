"""Secrets in texts of others: hidden in every form in which they travel, and nothing else is."""

from __future__ import annotations

import base64
import io
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.discretion import HIDDEN, DiscreetLog, Discretion

VALUE = "h/nt+r 2=\u00f8!x"
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=8, max_size=40)


@pytest.mark.parametrize(
    "form",
    [VALUE, quote(VALUE), quote(VALUE, safe=""), quote_plus(VALUE), json.dumps(VALUE)[1:-1]],
)
def test_a_secret_is_hidden_in_every_form(form):
    """As it is, in an address, in JSON."""
    assert Discretion.hiding([VALUE]).clean(f"got {form}, no") == f"got {HIDDEN}, no"


@given(SECRETS, st.text(max_size=5), st.text(max_size=5))
def test_a_secret_in_base64_cannot_be_read(secret, before, after):
    """Whatever stands before and behind it: of its characters at most the ends of the first and the last are left."""
    raw, lead = secret.encode(), before.encode()
    text = base64.b64encode(lead + raw + after.encode()).decode()
    begin, end = -(-8 * len(lead) // 6), 8 * (len(lead) + len(raw)) // 6
    assert text[begin:end] not in Discretion.hiding([secret]).clean(text)


@given(SECRETS, st.integers(6, 40))
def test_a_secret_that_was_cut_off_is_hidden(secret, length):
    """Errors are shortened before anybody sees them."""
    cleaned = Discretion.hiding([secret]).clean(f"refused: {secret[:length]}")
    assert secret[:6] not in cleaned


@pytest.mark.parametrize(
    ("url", "hidden", "shown"),
    [
        ("postgresql://me:hunter2@db.example.com/x", ["hunter2"], ["me", "db.example.com"]),
        ("postgresql://me:hunter%2F2@db/x", ["hunter%2F2", "hunter/2"], ["db"]),
        ("postgresql://me@db/x?password=correcthorse9", ["correcthorse9"], ["db"]),
        (
            "https://hooks.slack.com/services/T024BE7LH/B0HOOK7XX/xyzzyXYZZYxyzzy",
            ["xyzzyXYZZYxyzzy", "T024BE7LH"],
            ["services"],
        ),
        ("json://user:swordfish@127.0.0.1:8080/", ["swordfish"], ["127.0.0.1"]),
        ("postgresql//me:hunter2@db/x", ["hunter2"], []),
    ],
)
def test_of_a_url_only_what_is_secret_is_hidden(url, hidden, shown):
    """Hosts and plain words stay, or no error could be understood."""
    cleaned = Discretion.hiding([url]).clean(" ".join([*hidden, *shown]))
    assert not [word for word in hidden if word in cleaned]
    assert [word for word in shown if word not in cleaned] == []


@given(st.text(max_size=200))
def test_without_secrets_every_text_is_as_it_was(text):
    """Nothing is hidden that is none."""
    assert Discretion().clean(text) == text


def test_a_log_holds_no_secret_in_a_line_or_a_traceback():
    """Neither in what is said nor in what was raised."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(DiscreetLog(Discretion.hiding(["swordfish-4711"])))
    logger = logging.getLogger("slicewatch.test_discretion")
    logger.addHandler(handler)
    try:
        raise ValueError("the token swordfish-4711 is wrong")  # noqa: TRY301
    except ValueError:
        logger.exception("failed with %s", "swordfish-4711")
    finally:
        logger.removeHandler(handler)
    assert out.getvalue().startswith(f"failed with {HIDDEN}\nTraceback")
    assert "swordfish" not in out.getvalue()
