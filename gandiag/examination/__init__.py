"""Examining a game held still: a saved run's, or somebody's own."""
