"""One table group or change per file."""
