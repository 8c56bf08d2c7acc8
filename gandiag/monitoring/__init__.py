"""Snapshots of training steps, reference statistics of the real data, and probes."""
