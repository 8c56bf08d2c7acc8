"""Benchmarks that measure the claims of the documentation again, on the machine of the user."""
