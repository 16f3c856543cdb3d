"""Models, text ↔ tokens, generation with a cache kept over the steps of an episode, and rollouts."""
