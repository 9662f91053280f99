"""A cron expression as the value of a key of the rule file."""

from __future__ import annotations

from rules.cron import Cron
from rules.explain import described, refusal

_HINT = 'write minute, hour, day, month and weekday: "0 2 * * SUN"'


def read_cron(raw: object) -> Cron:
    """For a validator: what a file holds as a `Cron`; anything else is refused with code `bad-cron`."""
    if not isinstance(raw, str):
        raise refusal("bad-cron", f"{described(raw)} is no cron expression", _HINT)
    try:
        return Cron.parse(raw)
    except ValueError as error:
        raise refusal("bad-cron", str(error), _HINT) from None
