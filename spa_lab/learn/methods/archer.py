"""ArCHer: a critic of whole steps, learnt off-policy, teaches a policy of tokens (arXiv:2402.19446).

A_t = min Q(h_t, a_t) - min V(h_t)                                            over twin critics

The advantage of every token of a step is min Q(h_t, a_t) - min V(h_t) of twin critics, see
`learn.utterance_critics`; they are fitted by temporal differences to the transitions of the last iterations,
and to the explorations before the first update.

Departs from the source: V follows Q of the recorded actions, of which only those of the present iteration are
the present policy's (there fresh actions are sampled at every recorded history); the critics are heads on
features of a language model of their own that is fitted to the outcomes of the explorations and then frozen
(`learn.step_network`; there it follows the temporal differences, too); the clipped update of all methods on
advantages that are normalised over the batch (there REINFORCE in three passes, and an optional baseline of
tokens). The discount is that of `preset.ppo` where that counts steps, else 0.9, the released default.

Cost: a fit of the network and the critics before training; gradient steps of the critics in each iteration.

Fails where the network does not tell good steps from bad ones, as after a short fit, or transitions are few:
advantages are then the critics' errors.
"""

from dataclasses import replace

import numpy as np

from spa_lab.advantages import token_rewards
from spa_lab.agent.rollout import Policy
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, step_credit, steps_of
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.graded_rows import graded
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.step_features import step_features
from spa_lab.learn.step_network import StepNetwork
from spa_lab.learn.step_rewards import outcome
from spa_lab.learn.utterance_critics import CriticsConfig, Transitions, UtteranceCritics
from spa_lab.rewards import fuse, terminal
from spa_lab.types import Credit


def make(inputs: TrainingInputs) -> Learner:
    """Advantages of critics that are fitted to the explorations, and further in each iteration.

    Raises:
        ValueError: there are no explorations.
    """
    if not inputs.explored:
        raise ValueError("method 'archer' needs explored trajectories")
    ppo, extra = inputs.preset.ppo, ExtraCost()
    config = CriticsConfig()
    if ppo.gae_level == "step":
        config = replace(config, gamma=ppo.gamma)
    reader, reward = _reader(inputs, extra), outcome(inputs.preset.reward)
    explored = [
        fuse(trajectory, terminal(trajectory), inputs.preset.reward) for trajectory in inputs.explored
    ]
    first = Transitions.of(step_features(reader, inputs.explored), explored)
    critics = UtteranceCritics(
        first.before.shape[1], config, rng=inputs.stream("critics"), device=first.before.device
    )
    critics.recent.append(first)
    extra.add(updates=critics.fit(epochs=config.first_epochs, rng=inputs.stream("first critics")))

    def estimate(collected: Collected) -> list[Estimate]:
        episodes, paid = collected.episodes, reward(collected.episodes)
        trajectories = [episode.trajectory for episode in episodes]
        features = step_features(reader, trajectories, rows=[episode.row for episode in episodes])
        steps = Transitions.of(features, paid)
        critics.recent.append(steps)
        extra.add(updates=critics.fit(epochs=config.epochs, rng=inputs.rng))
        advantages = critics.advantage(steps).double().cpu().split(list(map(len, trajectories)))
        credits = [
            Credit(trajectory.id, "archer", advantage.numpy())
            for trajectory, advantage in zip(trajectories, advantages, strict=True)
        ]
        return [
            replace(estimate, rewards=token_rewards(per_step, steps_of(episode)))
            for estimate, per_step, episode in zip(
                step_credit(collected, credits), paid, episodes, strict=True
            )
        ]

    return OnPolicyLearner(inputs, estimate, stateful={"critics": critics}, extra=extra)


def _reader(inputs: TrainingInputs, extra: ExtraCost) -> Policy:
    """A copy of the cloned policy whose hidden states, before and after each step, tell the outcome."""
    seed = inputs.stream("critics' network").randrange(2**31)
    network = StepNetwork(inputs.policy, inputs.preset.estimator, before=True, seed=seed)
    rows = network.codec.rows_of(inputs.explored)
    targets = [np.full(len(t), t.known_outcome) for t in inputs.explored]
    extra.add(updates=network.fit(graded(rows, targets), rng=inputs.stream("order of the critics' network")))
    return replace(inputs.policy, name="critics", model=network.backbone)


METHOD = TrainingMethod(
    name="archer",
    title="ArCHer",
    origin="arXiv:2402.19446",
    make=make,
    needs=frozenset({"explored"}),
)
