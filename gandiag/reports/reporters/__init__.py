"""Reporters show a report: one format, one file."""
