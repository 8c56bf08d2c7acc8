"""Lints: bugs of the loop around a GAN, one a file. They are detectors of attached loops."""
