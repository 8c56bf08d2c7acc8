"""Diagnosis of a record: detectors of failures, and the statistics that they use."""
