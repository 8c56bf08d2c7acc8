"""The files made from MNIST that gandiag ships (see ATTRIBUTION.md)."""
