"""Text worlds: the protocol in `base`, one folder a world; they know neither models nor one another."""
