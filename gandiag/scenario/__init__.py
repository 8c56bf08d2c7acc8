"""Scenario files: their schema, the positions of mistakes, and the shipped scenarios."""
