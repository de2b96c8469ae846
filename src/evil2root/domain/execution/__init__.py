"""Stops, targets and what happens to orders on a bar."""
