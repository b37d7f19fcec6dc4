"""The algebras on which the kernel's bytecode builds terms, circuits and counts."""
