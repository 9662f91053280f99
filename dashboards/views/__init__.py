"""What the pages show, as plain data: one file for each page. JSON, CSV and HTML are made from the same."""
