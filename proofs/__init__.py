"""What is proved, and under which assumptions about the world."""
