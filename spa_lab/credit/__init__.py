"""Credit methods, and how well their contributions agree with measured values."""
