"""Text worlds: the protocol in `base`, the table in `worlds`, one package a world.

Worlds know neither models nor one another.
"""
