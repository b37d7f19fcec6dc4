"""What the theorems are composed of."""
