"""Numbers that training logs hold per step or per token: log-probabilities, advantages, values, labels.

They are found by name in what an adapter put into meta, beside a step or as one list for all steps, and
become fields of the steps of a row, see `importers.steps`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from spa_lab.importers.adapter import objects
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row

_PER_TOKEN = {
    "logprobs": "logprob", "logprob": "logprob", "log_probs": "logprob", "old_log_probs": "logprob",
    "advantages": "advantage", "advantage": "advantage",
}  # fmt: skip
"""Name in a log -> name of the number of a token."""
_PER_STEP = {
    "advantages": "advantage", "advantage": "advantage", "step_advantages": "advantage", "value": "value",
    "values": "value", "value_estimate": "value", "step_values": "value",
}  # fmt: skip
"""Name in a log -> field of a step."""
_LABELS = ("step_labels", "labels")


def take_numbers(rows: Iterable[Row], ledger: Ledger) -> None:
    """Move the numbers of rows from meta to their steps, in place."""
    for row in rows:
        meta = row.get("meta", {})
        _share_lists(row, meta, ledger)
        if number(meta.get("advantage")) is not None:  # of the whole episode, as in GRPO
            for step in row["steps"]:
                step["advantage"] = number(meta["advantage"])
            _moved(meta, "advantage", ledger)
        for step in row["steps"]:
            if "meta" in step:
                _of_step(step, step["meta"], ledger)
                if not step["meta"]:
                    del step["meta"]
        if meta == {}:
            row.pop("meta", None)


def _share_lists(row: Row, meta: Row, ledger: Ledger) -> None:
    """Lists with an entry for every step."""
    steps = row["steps"]
    for name in [*_PER_TOKEN, *_PER_STEP, *_LABELS]:
        given = meta.get(name)
        if not isinstance(given, list) or len(given) != len(steps):
            continue
        if name in _LABELS:
            if all(value is None or number(value) is not None for value in given):
                row.setdefault("labels", {})[name] = [_label(value) for value in given]
                _moved(meta, name, ledger)
        elif name in _PER_STEP and _are_numbers(given):
            for step, value in zip(steps, given, strict=True):
                step[_PER_STEP[name]] = number(value)
            _moved(meta, name, ledger)
        elif name in _PER_TOKEN and all(_are_numbers(values) for values in given):
            for step, values in zip(steps, given, strict=True):
                _set(step, _PER_TOKEN[name], values)
            _moved(meta, name, ledger)


def _of_step(step: Row, meta: Row, ledger: Ledger) -> None:
    for name in _PER_TOKEN:
        given = meta.get(name)
        content = objects(given.get("content")) if isinstance(given, dict) else []
        if content and all("token" in one and number(one.get("logprob")) is not None for one in content):
            _set(step, "logprob", [one["logprob"] for one in content], [str(one["token"]) for one in content])
            n_others = sum(bool(one.get("top_logprobs")) for one in content)
            if n_others:
                ledger.drop("top_logprobs", "only the number of the token that was written is kept", n_others)
            _moved(meta, name, ledger)
        elif isinstance(given, list) and given and _are_numbers(given):
            _set(step, _PER_TOKEN[name], given, meta.get("tokens"))
            _moved(meta, name, ledger)
            if step.get("tokens"):
                _moved(meta, "tokens", ledger)
    metrics = meta.get("metrics")  # ATIF
    if isinstance(metrics, dict) and metrics.get("logprobs") and _are_numbers(metrics["logprobs"]):
        _set(step, "logprob", metrics["logprobs"])
        meta["metrics"] = {key: value for key, value in metrics.items() if key != "logprobs"}
    for name, field in _PER_STEP.items():
        if number(meta.get(name)) is not None and not isinstance(meta[name], str):
            step[field] = number(meta[name])
            _moved(meta, name, ledger)


def _set(step: Row, name: str, numbers: Sequence[Any], texts: Any = None) -> None:
    step.setdefault("token_numbers", {})[name] = [number(value) for value in numbers]
    if isinstance(texts, list) and len(texts) == len(numbers):
        step["tokens"] = list(map(str, texts))


def _moved(meta: Row, name: str, ledger: Ledger) -> None:
    if name in meta:
        del meta[name]
        ledger.uncarry(name)


def _are_numbers(given: Any) -> bool:
    return isinstance(given, list) and all(
        isinstance(value, int | float) and number(value) is not None for value in given
    )


def _label(value: Any) -> float | None:
    """True is helpful and false harmful."""
    return (1.0 if value else -1.0) if isinstance(value, bool) else number(value)
