"""Doors for other people's frameworks: one file each, and none loaded unless it is asked for."""
