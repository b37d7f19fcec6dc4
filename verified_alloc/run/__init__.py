"""The command `run`: the loop over scans, what a person sees of it, and its summary."""
