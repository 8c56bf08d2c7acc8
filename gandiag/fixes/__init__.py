"""Fixes: each changes a scenario so that a failure may not occur. One fix is one file."""
