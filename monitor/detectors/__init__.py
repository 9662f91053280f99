"""What history teaches about every slice, and which slices are alarmed: the steps of `monitor.statistics`, put together."""
