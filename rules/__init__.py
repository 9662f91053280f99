"""WHAT to watch: YAML text in; Rule, or Problem with its place, out. Knows no database."""
