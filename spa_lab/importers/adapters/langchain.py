"""Messages of LangChain and states of LangGraph: typed "human" and "ai", plain or in envelopes."""

from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.dialects import LANGCHAIN
from spa_lab.importers.rows import Row


def _marked(message: Row) -> bool:
    return "role" not in message and message.get("type") in (*LANGCHAIN, "constructor")


ADAPTER = chat_adapter("LangChain messages", _marked, "no messages of LangChain's types")
