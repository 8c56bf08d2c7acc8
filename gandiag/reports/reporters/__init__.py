"""Reporters publish a report: one module per output format."""
