"""Proving a cure: the same game with and without a fix, over many seeds, with its statistics."""
