"""Rows of tokens in the hands of other trainers: the examples of `tests/examples`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spa_lab.agent.models import save_policy
from spa_lab.agent.rollout import Policy
from tests.examples.verl_batch import verl_batch

ROWS: list[dict[str, Any]] = [
    {
        "id": "a", "task_id": "t", "outcome": 1.0, "sampled": True, "prompt_ids": [5, 6, 7],
        "completion_ids": [8, 9, 5, 6, 2], "completion_mask": [1, 1, 0, 1, 1], "step": [0, 0, -1, 1, 1],
        "rewards": [0.0, 0.5, 0.0, 0.0, 0.5], "advantages": [1.0, 1.0, 0.0, 0.5, 0.5],
    },
    {
        "id": "b", "task_id": "t", "outcome": 0.0, "sampled": True, "prompt_ids": [5],
        "completion_ids": [7, 2], "completion_mask": [1, 1], "step": [0, 0],
        "rewards": [0.0, -1.0], "advantages": [-1.0, -1.0],
    },
]  # fmt: skip
"""Two episodes, of two steps and one."""


def test_tensors_for_verl() -> None:
    batch = verl_batch(ROWS, pad_id=0)
    assert batch["prompts"].tolist() == [[5, 6, 7], [0, 0, 5]]
    assert batch["responses"].tolist() == [[8, 9, 5, 6, 2], [7, 2, 0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1] * 8, [0, 0, 1, 1, 1, 0, 0, 0]]
    assert batch["position_ids"].tolist() == [[*range(8)], [0, 0, 0, 1, 2, 2, 2, 2]]
    assert batch["response_mask"].tolist() == [[1, 1, 0, 1, 1], [1, 1, 0, 0, 0]]
    assert batch["step"].tolist() == [[0, 0, -1, 1, 1], [0, 0, -1, -1, -1]]
    torch.testing.assert_close(batch["advantages"], torch.tensor([[1, 1, 0, 0.5, 0.5], [-1, -1, 0, 0, 0]]))
    assert torch.equal(batch["input_ids"][:, 3:], batch["responses"])


@pytest.mark.filterwarnings("ignore")
def test_a_trainer_of_trl_updates_on_our_advantages(
    tmp_path: Path, make_policy: Callable[..., Policy]
) -> None:
    pytest.importorskip("trl")
    from trl import GRPOConfig

    from tests.examples.trl_grpo import StepCreditTrainer, load_rows, no_reward

    policy = make_policy("Action: wait", layers=2, spread=0.3)
    save_policy(policy, tmp_path / "model")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    config = GRPOConfig(
        output_dir=str(tmp_path / "out"), per_device_train_batch_size=2, num_generations=2, max_steps=2,
        learning_rate=1e-2, beta=0.0, report_to=[], use_cpu=True, save_strategy="no", bf16=False,
        disable_tqdm=True, gradient_checkpointing=False, temperature=1.0,
    )  # fmt: skip
    trainer = StepCreditTrainer(
        policy.model, no_reward, config,
        train_dataset=load_rows(tmp_path / "rows.jsonl"), processing_class=policy.codec.tokenizer,
    )  # fmt: skip
    inputs = trainer._generate_and_score_completions(ROWS)
    written = torch.tensor([[1, 1, 0, 1, 1], [1, 1, 0, 0, 0]], dtype=torch.bool)
    mine = torch.tensor([[1, 1, 0, 0.5, 0.5], [-1, -1, 0, 0, 0]])
    scaled = (mine - mine[written].mean()) / mine[written].std(correction=0)
    torch.testing.assert_close(inputs["advantages"].cpu()[written], scaled[written])
    trainer.compute_loss(trainer.model, inputs).backward()
    theirs = [weight.grad.clone() for weight in policy.model.parameters()]
    policy.model.zero_grad()
    _our_loss(policy, written, scaled).backward()
    for gradient, weight in zip(theirs, policy.model.parameters(), strict=True):
        torch.testing.assert_close(gradient, weight.grad, rtol=1e-3, atol=1e-5)
    policy.model.zero_grad()
    before = _logprobs(policy)
    trainer.train()
    change = _logprobs(policy) - before
    assert change[0, :2].sum() > 0 > change[1, :2].sum(), "the advantages pull where they should"


def _our_loss(policy: Policy, written: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
    """The policy gradient over written tokens, row by row and without padding."""
    logprobs = [row for row in _row_logprobs(policy)]
    total = sum(
        (logprobs[b] * advantages[b, : len(row["step"])] * written[b, : len(row["step"])]).sum()
        for b, row in enumerate(ROWS)
    )
    return -total / written.sum()  # type: ignore[return-value]


def _row_logprobs(policy: Policy) -> list[torch.Tensor]:
    found = []
    for row in ROWS:
        ids = torch.tensor([row["prompt_ids"] + row["completion_ids"]])
        logprobs = torch.log_softmax(policy.model(ids).logits[0, :-1], -1)
        n = len(row["completion_ids"])
        found.append(logprobs.gather(1, ids[0, 1:, None]).squeeze(1)[-n:])
    return found


@torch.no_grad()
def _logprobs(policy: Policy) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(_row_logprobs(policy), batch_first=True)
