"""The command line: one module for each command, and what several commands share."""
