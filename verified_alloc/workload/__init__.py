"""What guns ask for: sessions, traces, imports, synthetic days."""
