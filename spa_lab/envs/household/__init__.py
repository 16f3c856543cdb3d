"""The household world: ALFWorld's rules and text, games of our own."""
