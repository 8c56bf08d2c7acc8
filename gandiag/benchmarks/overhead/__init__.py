"""Overhead: measures the time and the memory that watching a training loop costs."""
