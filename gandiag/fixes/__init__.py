"""Fixes turn a scenario into one that may not fail: one file each."""
