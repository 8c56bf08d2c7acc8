"""Instruments: each answers one question of the theory of GANs about two frozen networks."""
