"""WHAT is seen: read model in; text, pages and figures out."""
