"""Policy gradients of single episodes for many advantages at once, and sketches of them.

g_A = sum over written tokens l of A_l grad log pi(l). Gradients are compared in the metric of an Adam update:
every coordinate is divided by the fourth root of its second moment v, so that g . g' is the first-order
change that g' makes on the objective of g through a step g' / sqrt(v) (Kingma & Ba 2015). v is that of the
score with a random sign for each step, so that the metric favours no advantage.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spa_lab.agent.rollout import Episode, Policy
from spa_lab.learn.language import logprobs_under, trainable_parameters
from spa_lab.types import FloatArray

DAMPING = 0.01
"""Added to v, in units of its mean: coordinates that are hardly ever used get no unbounded weight."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """A count sketch (Charikar et al. 2002): P coordinates added up in k buckets with random signs.

    Inner products of sketches are unbiased for those of the vectors, with a relative error of about
    1 / sqrt(k).
    """

    bucket: Tensor
    """(P,) int64."""
    sign: Tensor
    """(P,) float32, 1 or -1, times the weight of the coordinate."""
    size: int

    def __call__(self, vectors: Tensor) -> Tensor:
        """(K, P) -> (K, k)."""
        result = torch.zeros(len(vectors), self.size)
        return result.index_add_(1, self.bucket, vectors * self.sign)


def make_sketch(n_coordinates: int, size: int, *, seed: int) -> Sketch:
    """The sketch of a seed: the same in every process."""
    generator = torch.Generator().manual_seed(seed)
    bucket = torch.randint(size, (n_coordinates,), generator=generator)
    sign = torch.randint(2, (n_coordinates,), generator=generator) * 2.0 - 1.0
    return Sketch(bucket, sign, size)


def metric_weights(
    policy: Policy, episodes: Sequence[Episode], *, temperature: float, rng: random.Random
) -> Tensor:
    """(P,) float32: weight of each coordinate, (v + damping)^(-1/4); see the module.

    Args:
        policy: whose parameters with `requires_grad` are the coordinates.
        episodes: that v is estimated from.
        temperature: at which they were sampled.
        rng: draws the signs.
    """
    total = torch.zeros(1)
    for episode in episodes:
        signs = np.array([rng.choice((-1.0, 1.0)) for _ in episode.trajectory.steps])
        step = np.array(episode.row.step)
        (gradient,) = _gradients(policy, episode, signs[step[step >= 0]][None], temperature)
        total = total + gradient**2
    moment = total / len(episodes)
    return (moment + DAMPING * moment.mean()) ** -0.25


def group_gradients(
    policy: Policy,
    episodes: Sequence[Episode],
    coefficients: Sequence[FloatArray],
    weights: Tensor,
    sketch: Sketch,
    *,
    temperature: float,
) -> tuple[FloatArray, NDArray[np.float32]]:
    """Products and sketched mean of the gradients of one group's episodes.

    Args:
        policy: in eval mode.
        episodes: G episodes.
        coefficients: (K, L) of each episode: what each token's log-probability is multiplied by; only those
            of written tokens count.
        weights: (P,) of the coordinates.
        sketch: of P coordinates.
        temperature: at which the episodes were sampled.

    Returns:
        (K, K) float64, the mean over episodes of g_a . g_b; and (K, k) float32, the sketch of the mean.
    """
    products, mean = [], torch.zeros(1)
    for episode, coefficient in zip(episodes, coefficients, strict=True):
        written = np.array(episode.row.step) >= 0
        rows = list(_gradients(policy, episode, coefficient[:, written], temperature))
        gradients = torch.stack(rows) * weights  # (K, P)
        products.append((gradients @ gradients.T).double().numpy())
        mean = mean + gradients / len(episodes)
    return np.mean(products, axis=0), sketch(mean).numpy()


def n_coordinates(policy: Policy) -> int:
    """P, the number of trained parameters."""
    return sum(parameter.numel() for _, parameter in trainable_parameters(policy.model))


def _gradients(
    policy: Policy, episode: Episode, coefficients: FloatArray, temperature: float
) -> Iterator[Tensor]:
    """(P,) float32 for each of the K rows of coefficients (K, n), on the CPU."""
    parameters = [parameter for _, parameter in trainable_parameters(policy.model)]
    batch = policy.codec.batch([episode.row], limit=policy.context)
    logprobs = logprobs_under(policy.model, batch.ids, batch.action_mask, temperature=temperature)  # (n,)
    for k, row in enumerate(coefficients):
        objective = torch.from_numpy(row).to(logprobs) @ logprobs
        keep = k + 1 < len(coefficients)
        parts = torch.autograd.grad(objective, parameters, retain_graph=keep, materialize_grads=True)
        yield torch.cat([part.flatten() for part in parts]).float().cpu()
