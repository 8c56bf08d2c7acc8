"""Probes observe a player's turn and return numbers: one file each."""
