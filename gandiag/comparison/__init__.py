"""Comparisons of fixes with a baseline over many seeds, with their statistics."""
