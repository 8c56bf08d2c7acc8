"""Scripts that make the shipped files from MNIST; see datasets/assets/ATTRIBUTION.md."""
