"""Files made from MNIST that are part of gandiag (see ATTRIBUTION.md)."""
