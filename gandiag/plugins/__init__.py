"""Plugins: their protocols, the table of all of them, their options, and errors."""
