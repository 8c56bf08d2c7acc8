"""Variants build a GAN for a sample shape: one file each."""
