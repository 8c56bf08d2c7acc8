"""Instruments that examine two frozen networks: those of a saved run, or the user's own."""
