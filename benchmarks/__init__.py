"""Timings of the parts that training waits for; not installed with the package."""
