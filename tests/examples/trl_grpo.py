"""TRL's GRPOTrainer on rows of tokens with an advantage for every token; needs `pip install trl`.

    spa-lab export RUN --to tokens --model cloned --source spa --out rows.jsonl

The rows take the place of what the trainer would generate and score: one pass over recorded episodes. Written
for TRL 1.16, whose loss takes advantages of shape (B, L) "to support subclasses".
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, load_dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from trl import GRPOTrainer
from trl.trainer.utils import RepeatSampler


def load_rows(file: Path) -> Dataset:
    """The rows of a file as a dataset; `prompt` is asked for by the trainer and not read here."""
    rows = load_dataset("json", data_files=str(file), split="train")
    return rows.add_column("prompt", [""] * len(rows))


def no_reward(completions: Sequence[Any], **_: Any) -> list[float]:
    """The trainer wants a reward function; the rows bring their advantages."""
    return [0.0] * len(completions)


class StepCreditTrainer(GRPOTrainer):
    """Updates on the advantages of the rows, centred and scaled over the written tokens of each batch."""

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        """Every row once, not `num_generations` times: rows are episodes, not prompts."""
        return RepeatSampler(
            data_source=self.train_dataset if dataset is None else dataset,
            mini_repeat_count=1,
            batch_size=self.args.generation_batch_size,
            repeat_count=self.num_iterations * self.args.steps_per_generation,
            shuffle=self.shuffle_dataset,
            seed=self.args.seed,
        )

    def _generate_and_score_completions(self, inputs: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """What the loss reads of B rows: prompts padded on the left, completions on the right.

        `tool_mask` takes what the agent did not write out of the loss.
        """
        if self.beta:
            raise ValueError(f"beta: no reference policy is read here, got {self.beta}")
        prompts = _padded(
            [row["prompt_ids"] for row in inputs], self.processing_class.pad_token_id, left=True
        )
        prompt_mask = _padded([[1] * len(row["prompt_ids"]) for row in inputs], 0, left=True)
        completions = _padded([row["completion_ids"] for row in inputs], self.processing_class.pad_token_id)
        completion_mask = _padded([[1] * len(row["completion_ids"]) for row in inputs], 0)
        written = _padded([row["completion_mask"] for row in inputs], 0)  # (B, L)
        advantages = _padded([row["advantages"] for row in inputs], 0.0)  # (B, L)
        device = self.accelerator.device
        scaled = self._normalised(advantages.to(device), written.to(device).bool())
        batch = {
            "prompt_ids": prompts, "prompt_mask": prompt_mask, "completion_ids": completions,
            "completion_mask": completion_mask, "tool_mask": written,
            "advantages": scaled * written.to(device),
        }  # fmt: skip
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        batch["num_items_in_batch"] = self.accelerator.gather(batch["tool_mask"].sum()).sum()
        with torch.no_grad():
            batch["old_per_token_logps"] = self._get_per_token_logps_and_entropies(
                self.model,
                torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1),
                torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1),
                completions.shape[1],
                batch_size=self.args.per_device_train_batch_size,
            )[0]
        return batch

    def _normalised(self, advantages: Tensor, written: Tensor) -> Tensor:
        """Over the written tokens of all processes."""
        own = advantages[written]
        sums = torch.stack([own.sum(), (own**2).sum(), torch.tensor(float(len(own)), device=own.device)])
        total, squares, n = self.accelerator.gather(sums[None]).sum(dim=0)
        mean = total / n
        return (advantages - mean) / ((squares / n - mean**2).clamp(min=0).sqrt() + 1e-8)


def _padded(rows: Sequence[Sequence[float]], value: float, *, left: bool = False) -> Tensor:
    """(B, L), of the rows' own type."""
    tensors = [torch.tensor(row) for row in rows]
    side = "left" if left else "right"
    return pad_sequence(tensors, batch_first=True, padding_value=value, padding_side=side)
