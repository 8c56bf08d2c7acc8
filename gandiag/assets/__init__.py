"""What gandiag ships besides code, and the scripts that made it (see ATTRIBUTION.md)."""
