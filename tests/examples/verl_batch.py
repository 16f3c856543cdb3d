"""Rows of tokens as the tensors that verl's actor updates on; needs verl only to use them.

    spa-lab export RUN --to tokens --model cloned --source spa --out rows.parquet

    batch = verl_batch(rows, pad_id=tokenizer.pad_token_id)
    data = DataProto.from_single_dict(batch, meta_info={"temperature": 1.0})
    data = data.union(actor.compute_log_prob(data))
    actor.update_actor(data)

The names are those of verl's data-parallel actor; with verl itself this was not tried.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def verl_batch(rows: Sequence[Mapping[str, Any]], *, pad_id: int) -> dict[str, Tensor]:
    """B rows as tensors: prompts padded on the left to P tokens, responses on the right to L.

    Returns:
        prompts (B, P), responses (B, L), input_ids, attention_mask and position_ids (B, P + L), response_mask
        (B, L): 1 where the agent wrote, step (B, L): index of the step or -1, and advantages (B, L).
    """
    n_prompt = max(len(row["prompt_ids"]) for row in rows)
    n_response = max(len(row["completion_ids"]) for row in rows)

    def left(row: Mapping[str, Any], name: str, fill: int) -> list[int]:
        return [fill] * (n_prompt - len(row["prompt_ids"])) + list(row[name])

    def right(name: str, fill: float) -> Tensor:
        return torch.tensor([list(r[name]) + [fill] * (n_response - len(r["completion_ids"])) for r in rows])

    prompts = torch.tensor([left(row, "prompt_ids", pad_id) for row in rows])
    responses = right("completion_ids", pad_id)
    seen = [
        [0] * (n_prompt - len(row["prompt_ids"]))
        + [1] * (len(row["prompt_ids"]) + len(row["completion_ids"]))
        + [0] * (n_response - len(row["completion_ids"]))
        for row in rows
    ]
    attention = torch.tensor(seen)
    return {
        "prompts": prompts,
        "responses": responses,
        "input_ids": torch.cat([prompts, responses], dim=1),
        "attention_mask": attention,
        "position_ids": (attention.cumsum(dim=1) - 1).clamp(min=0),
        "response_mask": right("completion_mask", 0),
        "step": right("step", -1),
        "advantages": right("advantages", 0.0),
    }
