"""WHO is told: Finding in; Incident, Decision, Message out. Knows no data frames and no SQL."""
