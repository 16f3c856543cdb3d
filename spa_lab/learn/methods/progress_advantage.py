"""PPO on the log-ratio of the policy to its clone as step rewards: the progress advantage (arXiv:2606.26080).

c_t = b * (log pi(a_t | h_t) - log pi_ref(a_t | h_t)),  r_t = alpha * c_t + beta * g_t

The last step gets what is missing to the outcome: R - c_0 - ... - c_{T-2} in place of c_{T-1}.

For a policy that is the optimum under a KL of weight b, c_t is the optimal advantage; a policy in training is
none, and its first iteration, where the ratio is 1, is that of the terminal reward. b is `ppo.kl_coef`; pi is
the policy that wrote the step.

Departs from the source, which scores steps of finished policies and does not train on the scores; not stated
for that use, here: the sum over the tokens of a step, and the correction to the outcome, without which the
policy would only confirm itself.

Cost: one more reading of each episode by the reference.

Fails where the policy has learnt something wrong: the ratio confirms what was made likelier, and only the
correction at the last step contradicts.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from spa_lab import rewards
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, Policy
from spa_lab.configs.checks import check_positive
from spa_lab.configs.presets import Preset
from spa_lab.learn.language import logprobs_under
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.ppo import ppo
from spa_lab.learn.reading import READ_TOKENS, read_written, sums_by_step
from spa_lab.learn.settings_read import CRITIC, GROUNDED, PLAYED, UPDATE
from spa_lab.types import Credit, FloatArray


@torch.inference_mode()
def log_ratios(reference: Policy, episodes: Sequence[Episode], *, temperature: float) -> list[FloatArray]:
    """(T,) of each episode: log-probability of each step when it was sampled less that under the reference.

    Args:
        reference: its model must be in eval mode.
        episodes: N episodes.
        temperature: at which they were sampled.
    """
    before = read_written(
        lambda batch: logprobs_under(reference.model, batch.ids, batch.action_mask, temperature=temperature),
        reference.codec,
        [episode.row for episode in episodes],
        limit=reference.context,
        budget=READ_TOKENS,
    )
    return [
        sums_by_step(episode.row, np.array(episode.logprobs) - fixed)
        for episode, fixed in zip(episodes, before, strict=True)
    ]


def make(inputs: TrainingInputs) -> Learner:
    """PPO on the log-ratios, corrected to the outcome."""
    reference = copy_policy(inputs.policy, name="reference")
    config, scale = inputs.preset.ppo, inputs.preset.ppo.kl_coef
    fused = replace(inputs.preset.reward, residual="last", clip=False)

    def reward(episodes: Sequence[Episode]) -> list[FloatArray]:
        ratios = log_ratios(reference, episodes, temperature=config.temperature)
        return [
            rewards.fuse(
                episode.trajectory,
                Credit(episode.trajectory.id, "progress_advantage", scale * ratio),
                fused,
            )
            for episode, ratio in zip(episodes, ratios, strict=True)
        ]

    return ppo(inputs, reward)


def check(preset: Preset) -> None:
    """Without a weight of the KL every log-ratio is paid 0, and the method is `terminal`.

    Raises:
        SettingError: `ppo.kl_coef` is 0, or GAE would ignore a setting.
    """
    check_gae(preset)
    check_positive(**{"ppo.kl_coef": preset.ppo.kl_coef})


METHOD = TrainingMethod(
    name="progress_advantage",
    title="progress advantage",
    origin="arXiv:2606.26080",
    make=make,
    check=check,
    reads=PLAYED | UPDATE | CRITIC | GROUNDED,
)
