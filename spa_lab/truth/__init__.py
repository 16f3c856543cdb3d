"""Measured values of every step: Monte Carlo continuations, exact enumeration, a scripted player."""
