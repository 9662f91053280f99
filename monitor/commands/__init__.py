"""One command per file; what a command does is a function that takes its world as arguments."""

HELP = {"help_option_names": ["-h", "--help"]}
"""Settings of the group and of every command: one called by itself shows the same help."""
