"""Messages of Bedrock's Converse: blocks without a type (`text`, `toolUse`, `toolResult`, ...)."""

from spa_lab.importers.adapter import objects
from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.rows import Row

_BLOCKS = frozenset({"toolUse", "toolResult", "reasoningContent"})


def _marked(message: Row) -> bool:
    blocks = objects(message.get("content"))
    return any("type" not in block and _BLOCKS & block.keys() for block in blocks)


ADAPTER = chat_adapter("Bedrock Converse", _marked, "no block 'toolUse', 'toolResult' or 'reasoningContent'")
