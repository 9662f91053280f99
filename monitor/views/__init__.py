"""What the pages show, read from the store: one file for each page."""
