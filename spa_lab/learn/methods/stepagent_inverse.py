"""StepAgent by inverse reinforcement learning: a discriminator's opinion of each step is its reward.

r_t = log D(h_t, a_t) - log (1 - D(h_t, a_t)) + beta * g_t         arXiv:2411.03817; GAIL, arXiv:1606.03476

D is fitted to tell the expert's steps from the agent's, in turn with updates by PPO. The outcome is not used.
With this form of the reward (arXiv:1710.11248) a step that cannot be told from the expert's is paid 0; -log
(1 - D) is always positive and pays for going on, log D is negative and pays for ending soon.

Not stated in what is public: that form, and the discriminator, which is here a head on the cloned policy's
frozen features, fitted afresh in each iteration to as many steps of the demonstrations as the agent wrote,
and asked about the very steps that it was fitted to, as in GAIL. Inserted mistakes are not the expert's.

Cost: a fit of the discriminator in each iteration; the demonstrations are read once.

Fails where the expert's steps are easily told apart by their wording: the reward then grades the wording. The
outcome is never looked at.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.models import copy_policy
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo
from spa_lab.learn.step_features import feature_head, fit_to_soft_labels, step_features
from spa_lab.learn.step_rewards import paid_as_it_is
from spa_lab.types import Credit, Trajectory

WIDTH, EPOCHS, LR, BATCH = 64, 3, 1e-3, 256


class Discriminator:
    """Pays each step the log odds that the expert wrote it.

    Args:
        inputs: of the method.
        extra: counts its updates.

    Raises:
        ValueError: there are no demonstrations.
    """

    def __init__(self, inputs: TrainingInputs, extra: ExtraCost) -> None:
        if not inputs.demonstrations:
            raise ValueError("method 'stepagent_inverse' needs demonstrations, got 0")
        self.inputs, self.extra = inputs, extra
        self.reader = copy_policy(inputs.policy, name="cloned")
        features = step_features(self.reader, [shown.trajectory for shown in inputs.demonstrations])
        own = [
            each.after[list(shown.supervised)]
            for each, shown in zip(features, inputs.demonstrations, strict=True)
        ]
        self.expert = torch.cat(own)  # (n, d) steps to be imitated

    def __call__(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        """Fits the discriminator to these steps and the expert's, and asks it about these."""
        features = torch.cat([each.after for each in step_features(self.reader, trajectories, rows=rows)])
        log_odds = self._log_odds(features).double().cpu().numpy()  # (n,)
        per_step = np.split(log_odds, np.cumsum(list(map(len, trajectories)))[:-1])
        return [
            Credit(t.id, "stepagent_inverse", paid) for t, paid in zip(trajectories, per_step, strict=True)
        ]

    def _log_odds(self, features: Tensor) -> Tensor:
        """(n,) log D - log (1 - D) of the agent's steps (n, d)."""
        rng = self.inputs.rng
        drawn = torch.tensor(rng.choices(range(len(self.expert)), k=len(features)), device=features.device)
        both = torch.cat([self.expert[drawn], features])  # (2 n, d)
        label = (torch.arange(len(both), device=features.device) < len(features)).float()  # 1: the expert's
        head = feature_head(both.shape[1], width=WIDTH, seed=rng.randrange(2**31)).to(features.device)
        self.extra.add(
            updates=fit_to_soft_labels(head, both, label, epochs=EPOCHS, lr=LR, batch=BATCH, rng=rng)
        )
        with torch.no_grad():
            return head(features).squeeze(-1)  # (n, 1) -> (n,)


def make(inputs: TrainingInputs) -> Learner:
    """PPO on the discriminator's log odds."""
    extra = ExtraCost()
    return ppo(inputs, paid_as_it_is(inputs.preset.reward, Discriminator(inputs, extra)), extra=extra)


METHOD = TrainingMethod(
    name="stepagent_inverse",
    title="StepAgent, inverse RL",
    origin="arXiv:2411.03817",
    make=make,
    needs=frozenset({"demonstrations"}),
)
