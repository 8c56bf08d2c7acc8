"""Monitoring of a training loop that the user has written: ``gandiag.attach``."""
