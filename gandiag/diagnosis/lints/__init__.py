"""Lints: detectors of one bug each in a user's training loop. They read the ``loop`` signals."""
