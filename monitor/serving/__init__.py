"""Serving the pages and the API: beside the daemon, or within it."""
