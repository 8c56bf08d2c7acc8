"""Training of a scenario's GAN: the loop, its batches, checkpoints, and ``gandiag.run``."""
