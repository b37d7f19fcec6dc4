"""Who gets what: demands, policies, guard, and why it was so decided."""
