"""Benchmarks of what training waits for: worlds, rollouts, continuations. Not installed with the package."""
