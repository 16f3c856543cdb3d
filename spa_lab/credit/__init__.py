"""Credit methods and how right they are."""
