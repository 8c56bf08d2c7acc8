"""A third-party package with one plugin in each of five families, one file each."""
