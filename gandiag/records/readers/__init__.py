"""Readers open somebody else's log as a record: one kind of log, one file."""
