"""Limits over time, as charging profiles tell them, and what counts of them now and next."""
