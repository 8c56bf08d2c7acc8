"""Readers open a third-party log as a record: one module per log format."""
