"""Text worlds: the protocol in `base`, one folder a world; they know neither models nor one another."""

from types import MappingProxyType

ORIGINALS = MappingProxyType({"household": "ALFWorld", "webshop": "WebShop", "virtualhome": "VirtualHome"})
"""World -> the benchmark whose rules it follows; `spa_lab.envs.<world>.parity` replays recordings of it."""
