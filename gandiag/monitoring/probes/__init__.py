"""Probes: each computes numbers from a snapshot of one network's step; one probe a file.

A probe returns its numbers by ``quantity/network``. What each number means, its unit and its range
stand in `gandiag.monitoring.signals`; the docstrings here give only what concerns the computation.
"""
