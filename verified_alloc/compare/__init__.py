"""Replay of demands and sessions, offline."""
