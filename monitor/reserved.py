"""Names of rules that are slicewatch's own: nobody can write one of them, and people's lists do not show them."""

from __future__ import annotations

CANARY = "slicewatch:canary"
OWN = frozenset({CANARY})
