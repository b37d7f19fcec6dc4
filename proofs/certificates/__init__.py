"""The finite core again, with proofs that a few lines check."""
