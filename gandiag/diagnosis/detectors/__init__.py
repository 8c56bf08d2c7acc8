"""Detectors of failures of the training, one failure per module. They read a record only."""
