"""Somebody who acts."""

from __future__ import annotations

from alerts.model import Actor

KARI = Actor("web", "kari", "Kari")
