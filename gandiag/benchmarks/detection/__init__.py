"""Detection: measures how often the detectors agree with the labels of the oracle."""
