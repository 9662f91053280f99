"""A message says where its incident is looked at, where there are pages that others reach."""

from __future__ import annotations

import pytest

from alerts.links import linked
from tests.contracts.outbox_contract import message


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("sw-0123456789", "https://watch.example.com/incidents/sw-0123456789"),
        ("digest-000001", "https://watch.example.com/incidents"),
        ("sw-<a href=x>", "https://watch.example.com/incidents/sw-%3Ca%20href%3Dx%3E"),
    ],
)
@pytest.mark.parametrize("pages", ["https://watch.example.com", "https://watch.example.com/"])
def test_the_page_of_an_incident_or_the_list_for_a_digest(pages, key, wanted):
    """Names stay within the path."""
    assert linked(message(key=key), pages).page_url == wanted


def test_without_pages_nothing_is_said():
    """An address that nobody reaches would be worse than none."""
    assert linked(message(), None) == message()
