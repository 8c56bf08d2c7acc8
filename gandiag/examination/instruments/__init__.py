"""The instruments: one question to both players held still a file."""
