"""Fixtures of several folders."""

from tests.standins.postgres import postgres_url

__all__ = ["postgres_url"]
