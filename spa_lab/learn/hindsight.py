"""Hindsight progress: what would have been written at the same history in a success, and in a failure.

A copy of the policy learns to write what the policy wrote, given how the episode ended: the outcome R is
told by a vector e, scaled by 2 R - 1 and added to the embedding of every token. By Bayes' rule

log h(a_t | h_t, R = 1) - log h(a_t | h_t, R = 0) = logit V(h_{t+1}) - logit V(h_t)

in a world without chance, with V the probability of success of the policy that played. So the log-ratios of
the steps, added up, say what a history is worth:

logit V(h_t) = b + k * sum over s < t of (log h(a_s | h_s, 1) - log h(a_s | h_s, 0))

b and k are two numbers, fitted to the outcomes (`credit.hindsight`); k = 1 for a model that knows everything.
The policy's habits cancel in the ratio: what it writes anyhow, right or wrong, gets no credit. At the start
e = 0 and all ratios are 0.

After hindsight credit assignment (Harutyunyan et al. 2019, arXiv:1912.02503): there the policy's probability
of an action is divided by that given the return; here its probability in a success is divided by that in a
failure, so that the ratio does not depend on which policy played. Departs from SPA-RL (arXiv:2505.20732),
whose estimator is a head on a hidden state: from few episodes a language model learns what belongs to
successes sooner than a head learns their values.
"""

import random
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from spa_lab.agent.codec import TokenBatch, TokenRow
from spa_lab.agent.lora import set_trainable
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.hindsight import HindsightConfig
from spa_lab.credit.hindsight import OddsLine, fit_odds_line
from spa_lab.learn.checkpoint import LearnerState, load_weights, weights_state
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.fitting import fit
from spa_lab.learn.language import before_written, check_predictable, read_tokens
from spa_lab.learn.reading import READ_TOKENS, read_written, sums_by_step
from spa_lab.types import FloatArray, Trajectory


class HindsightModel(nn.Module):
    """h(a_t | h_t, R).

    Args:
        policy: it starts as a copy of its model; not changed.
        config: see `HindsightConfig`.
    """

    def __init__(self, policy: Policy, config: HindsightConfig) -> None:
        super().__init__()
        self.config, self.codec, self.context = config, policy.codec, policy.context
        self.backbone = copy_policy(policy, name="hindsight").model
        set_trainable(self.backbone, True)
        size = int(self.backbone.config.hidden_size)
        self.outcome = nn.Parameter(torch.zeros(size, device=self.backbone.device))
        """(d,) e."""
        self.eval()

    def forward(self, batch: TokenBatch, outcomes: Tensor) -> Tensor:
        """(n,) log-probability of the n written tokens, nats, given (B,) outcomes in [0, 1]."""
        mask = batch.action_mask  # (B, L)
        check_predictable(mask)
        ids = batch.ids.to(self.backbone.device)
        embedded = self.backbone.get_input_embeddings()(ids)  # (B, L, d)
        told = (2.0 * outcomes.to(self.outcome) - 1.0)[:, None, None] * self.outcome  # (B, 1, d)
        hidden = self.backbone.base_model(
            inputs_embeds=embedded + told.to(embedded.dtype), use_cache=False
        ).last_hidden_state
        return read_tokens(self.backbone, before_written(hidden, mask), ids[mask.to(ids.device)]).logprobs

    def fit(
        self, rows: Sequence[TokenRow], outcomes: Sequence[float], *, epochs: int, rng: random.Random
    ) -> int:
        """Fit the model to N episodes, in place; it goes on from its present weights.

        Args:
            rows: tokens of the episodes.
            outcomes: R of each, in [0, 1].
            epochs: passes.
            rng: draws the batches.

        Returns:
            The number of updates.

        Raises:
            ContextTooLong: an episode has more tokens than the model can read.
        """
        told, config = torch.tensor(outcomes, dtype=torch.float32), self.config

        def loss(indices: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
            batch = self.codec.batch([rows[i] for i in indices], limit=self.context)
            return -self(batch, told[list(indices)]).mean(), {}

        return fit(
            self, [len(row.ids) for row in rows], loss,
            epochs=epochs, lr=config.lr, muon_lr=config.muon_lr, budget=config.batch_tokens,
            micro_tokens=config.micro_tokens, similar_lengths=False, rng=rng, on_update=lambda metrics: None,
            weight=lambda indices: sum(_n_written(rows[i]) for i in indices),
        )  # fmt: skip

    @torch.inference_mode()
    def log_ratios(self, rows: Sequence[TokenRow]) -> list[FloatArray]:
        """(T,) of each of N episodes: log h(a_t | h_t, 1) - log h(a_t | h_t, 0), nats, summed over tokens.

        Raises:
            ContextTooLong: an episode has more tokens than the model can read.
        """
        success, failure = (
            read_written(
                partial(self._read, outcome=outcome), self.codec, rows,
                limit=self.context, budget=READ_TOKENS,
            )
            for outcome in (1.0, 0.0)
        )  # fmt: skip
        return [
            sums_by_step(row, given_success - given_failure)
            for row, given_success, given_failure in zip(rows, success, failure, strict=True)
        ]

    def state(self) -> LearnerState:
        """The trained weights."""
        return weights_state(self)

    def load_state(self, state: LearnerState) -> None:
        """Set the trained weights; raises ValueError if names or shapes differ."""
        load_weights(self, state)

    def _read(self, batch: TokenBatch, outcome: float) -> Tensor:
        read: Tensor = self(batch, torch.full((len(batch.ids),), outcome))
        return read


def fit_hindsight(
    policy: Policy, trajectories: Sequence[Trajectory], config: HindsightConfig, *, rng: random.Random
) -> tuple[OddsLine, HindsightModel]:
    """A model of all trajectories, and the line for the log-ratios that it gives new ones.

    A model is too sure of what it was fitted to: the line is fitted to `unseen_log_ratios`, whose arguments
    and errors these are.
    """
    ratios = unseen_log_ratios(policy, trajectories, config, rng=rng)
    line = fit_odds_line(ratios, [trajectory.known_outcome for trajectory in trajectories])
    return line, _fitted(policy, trajectories, policy.codec.rows_of(trajectories), config, rng)[0]


def unseen_log_ratios(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    config: HindsightConfig,
    *,
    rng: random.Random,
    extra: ExtraCost | None = None,
    rows: Sequence[TokenRow] | None = None,
) -> list[FloatArray]:
    """(T,) log-ratios of each trajectory, by a model of the half of the tasks that it is not among.

    Args:
        policy: wrote the trajectories.
        trajectories: of two tasks or more; distinct ids.
        config: passes and rates.
        rng: draws the halves and the batches.
        extra: counts the updates.
        rows: the tokens that each was sampled as; without them the text is re-encoded.

    Raises:
        ValueError: there is no trajectory of a second task, or a row belongs to another trajectory.
    """
    tasks = list(dict.fromkeys(trajectory.task_id for trajectory in trajectories))
    if len(tasks) < 2:
        raise ValueError(f"hindsight progress needs explorations of at least 2 tasks, got {len(tasks)}")
    rng.shuffle(tasks)
    first = set(tasks[: len(tasks) // 2])
    halves = [[t for t in trajectories if (t.task_id in first) is wanted] for wanted in (True, False)]
    encoded = {row.trajectory_id: row for row in policy.codec.rows_of(trajectories, rows)}
    ratios: dict[str, FloatArray] = {}
    for seen, unseen in (halves, halves[::-1]):
        model, n_updates = _fitted(policy, seen, [encoded[t.id] for t in seen], config, rng)
        if extra:
            extra.add(updates=n_updates)
        read = model.log_ratios([encoded[t.id] for t in unseen])
        ratios |= {trajectory.id: each for trajectory, each in zip(unseen, read, strict=True)}
    return [ratios[trajectory.id] for trajectory in trajectories]


def _fitted(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    rows: Sequence[TokenRow],
    config: HindsightConfig,
    rng: random.Random,
) -> tuple[HindsightModel, int]:
    """A model of the trajectories, whose tokens are `rows`, and the number of updates that it took."""
    model = HindsightModel(policy, config)
    outcomes = [trajectory.known_outcome for trajectory in trajectories]
    return model, model.fit(rows, outcomes, epochs=config.epochs, rng=rng)


def _n_written(row: TokenRow) -> int:
    return sum(step >= 0 for step in row.step)
