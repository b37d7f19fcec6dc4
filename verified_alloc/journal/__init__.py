"""What happened and why, on disk: the recorder writes it, the reader answers from it."""
