"""The formats of logs: one small file each, one entry each in the table, the special ones first."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from spa_lab.importers.adapter import Adapter, record_adapter
from spa_lab.importers.adapters import (
    agent_process_bench,
    agentgym,
    ai_sdk,
    anthropic,
    atif,
    autogen,
    bedrock,
    browser_use,
    chat_text,
    claude_code,
    codex,
    completions,
    gemini,
    gemini_cli,
    inspect_log,
    langchain,
    langsmith,
    mini_swe_agent,
    nemo_gym,
    openai_chat,
    openhands,
    openhands_evaluation,
    openhands_sdk,
    prompt_response,
    pydantic_ai,
    ragen,
    react_text,
    responses_api,
    session_trace,
    sharegpt,
    smolagents,
    spa_lab_export,
    spa_rl,
    spa_rl_ppo,
    step_table,
    swe_agent,
    tau_bench,
    trl,
    verifiers,
    verl,
    webshop_human,
    who_and_when,
)
from spa_lab.importers.adapters import steps as own_steps
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row
from spa_lab.plugins import is_object_path, load_object, unknown_name

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "spa-lab": spa_lab_export.ADAPTER,
        "steps": own_steps.ADAPTER,
        "atif": atif.ADAPTER,
        "inspect": inspect_log.ADAPTER,
        "claude-code": claude_code.ADAPTER,
        "codex": codex.ADAPTER,
        "gemini-cli": gemini_cli.ADAPTER,
        "openhands": openhands.ADAPTER,
        "openhands-evaluation": openhands_evaluation.ADAPTER,
        "openhands-sdk": openhands_sdk.ADAPTER,
        "session-trace": session_trace.ADAPTER,
        "ragen": ragen.ADAPTER,
        "swe-agent": swe_agent.ADAPTER,
        "mini-swe-agent": mini_swe_agent.ADAPTER,
        "tau-bench": tau_bench.ADAPTER,
        "spa-rl": spa_rl.ADAPTER,
        "spa-rl-ppo": spa_rl_ppo.ADAPTER,
        "sharegpt": sharegpt.ADAPTER,
        "smolagents": smolagents.ADAPTER,
        "browser-use": browser_use.ADAPTER,
        "autogen": autogen.ADAPTER,
        "pydantic-ai": pydantic_ai.ADAPTER,
        "agentgym": agentgym.ADAPTER,
        "webshop-human": webshop_human.ADAPTER,
        "agent-process-bench": agent_process_bench.ADAPTER,
        "who-and-when": who_and_when.ADAPTER,
        "nemo-gym": nemo_gym.ADAPTER,
        "responses": responses_api.ADAPTER,
        "langsmith": langsmith.ADAPTER,
        "verl": verl.ADAPTER,
        "trl": trl.ADAPTER,
        "verifiers": verifiers.ADAPTER,
        "completions": completions.ADAPTER,
        "anthropic": anthropic.ADAPTER,
        "gemini": gemini.ADAPTER,
        "bedrock": bedrock.ADAPTER,
        "langchain": langchain.ADAPTER,
        "ai-sdk": ai_sdk.ADAPTER,
        "openai": openai_chat.ADAPTER,
        "step-table": step_table.ADAPTER,
        "chat-text": chat_text.ADAPTER,
        "react-text": react_text.ADAPTER,
        "prompt-response": prompt_response.ADAPTER,
    }
)
"""Name -> adapter, in the order in which they are tried."""
ALIASES: Mapping[str, str] = MappingProxyType({"chat": "openai"})
"""Earlier names."""


def adapter_named(name: str) -> Adapter:
    """An entry of the table, or the function `module:function` as the adapter of every record.

    Raises:
        ValueError: there is no such entry, or nothing that can be called.
    """
    if is_object_path(name):
        return _from_function(name, load_object(name, "adapter"))
    name = ALIASES.get(name, name)
    if name not in ADAPTERS:
        raise unknown_name("format", name, list(ADAPTERS))
    return ADAPTERS[name]


def _from_function(path: str, function: Any) -> Adapter:
    if isinstance(function, Adapter):
        return function
    if not callable(function):
        raise ValueError(
            f"adapter {path!r}: expected a function or an Adapter, got {type(function).__name__}"
        )

    def episode(record: Row, ledger: Ledger) -> Row | list[Row] | None:
        made = function(record)
        rows = made if isinstance(made, list) else [] if made is None else [made]
        return [own_steps.row_of(row, ledger) for row in rows] if rows else None

    return record_adapter(path, lambda record: "", episode)
