"""spa_lab: see, step by step, who deserves the credit in a language agent's trajectory."""

__version__ = "0.1.0"
