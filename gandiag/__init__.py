"""gandiag says which failure a GAN suffers from, since when, on what evidence, why, and what to do."""
