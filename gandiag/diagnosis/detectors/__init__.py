"""Detectors judge a record: one condition, one file."""
