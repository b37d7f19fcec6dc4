"""One file for each command: its options, its help, what it prints. Heavy imports happen inside."""
