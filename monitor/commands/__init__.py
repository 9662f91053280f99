"""One command per file; what a command does is a function that takes its world as arguments."""
