"""The method, one step per file: pure functions of arrays, each with its source. See docs/detection.md."""
