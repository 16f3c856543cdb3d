"""OpenAI chat messages, with or without tool calls."""

from spa_lab.importers.chat_adapter import chat_adapter

ADAPTER = chat_adapter("OpenAI chat messages")
