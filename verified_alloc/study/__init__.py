"""Studies: many stations, policies and seeds, and which of the stations are worth building."""
