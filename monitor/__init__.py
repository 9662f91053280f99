"""THE PROGRAM: schedules, counts, judges, remembers, wires everything; the command line."""
