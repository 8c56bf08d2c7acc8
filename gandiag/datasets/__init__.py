"""Datasets of real samples: one file for each dataset."""
