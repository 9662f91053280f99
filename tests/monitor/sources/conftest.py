"""Fixtures of the source tests."""

from tests.standins.postgres import postgres_url

__all__ = ["postgres_url"]
