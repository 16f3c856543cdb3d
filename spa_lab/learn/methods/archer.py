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
advantages are then the critics' errors. They are read on steps to which the critics have just been fitted: a
history occurs once, so that V can learn Q of the only action that followed it, and the advantage shrinks.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spa_lab.advantages import token_rewards
from spa_lab.agent.rollout import Episode
from spa_lab.learn.checkpoint import LearnerState, Stateful, merge_states, split_state
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, step_credit, steps_of
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.first_fit import FirstFit
from spa_lab.learn.graded_rows import graded
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.settings_read import DISCOUNT, GROUNDED, NETWORK, PLAYED, UPDATE
from spa_lab.learn.step_features import step_features
from spa_lab.learn.step_network import StepNetwork
from spa_lab.learn.step_rewards import outcome
from spa_lab.learn.utterance_critics import CriticsConfig, Transitions, UtteranceCritics
from spa_lab.rewards import fuse, terminal
from spa_lab.types import Credit, FloatArray


class WholeStepCritics:
    """The critics, and the network whose hidden states they read; fitted to the explorations at first.

    Args:
        inputs: of the method.
        extra: counts the updates.

    Raises:
        ValueError: there are no explorations.
    """

    def __init__(self, inputs: TrainingInputs, extra: ExtraCost) -> None:
        if not inputs.explored:
            raise ValueError("method 'archer' needs explored trajectories")
        self.inputs, self.extra, ppo = inputs, extra, inputs.preset.ppo
        self.config = CriticsConfig()
        if ppo.gae_level == "step":
            self.config = replace(self.config, gamma=ppo.gamma)
        seed = inputs.stream("critics' network").randrange(2**31)
        self.network = StepNetwork(inputs.policy, inputs.preset.estimator, before=True, seed=seed)
        self.reader = replace(inputs.policy, name="critics", model=self.network.backbone)
        model = self.network.backbone
        self.critics = UtteranceCritics(
            int(model.config.hidden_size), self.config, rng=inputs.stream("critics"), device=model.device
        )
        self.first_fit = FirstFit(self._fit_explored)

    def advantages(self, episodes: Sequence[Episode], paid: Sequence[FloatArray]) -> list[Credit]:
        """Fit the critics to the episodes of an iteration, too; their advantages of these.

        Args:
            episodes: N episodes.
            paid: (T,) rewards of each, outcome units.
        """
        self.first_fit()
        trajectories = [episode.trajectory for episode in episodes]
        features = step_features(self.reader, trajectories, rows=[episode.row for episode in episodes])
        steps = Transitions.of(features, paid, device=self.critics.device)
        self.critics.recent.append(steps)
        self.extra.add(updates=self.critics.fit(epochs=self.config.epochs, rng=self.inputs.rng))
        advantages = self.critics.advantage(steps).cpu().double().split(list(map(len, trajectories)))
        return [
            Credit(trajectory.id, "archer", advantage.numpy())
            for trajectory, advantage in zip(trajectories, advantages, strict=True)
        ]

    def state(self) -> LearnerState:
        """The network, the critics and their transitions."""
        parts: dict[str, Stateful] = {
            "network": self.network,
            "critics": self.critics,
            "first fit": self.first_fit,
        }
        return merge_states({name: part.state() for name, part in parts.items()})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`; raises ValueError if a part is missing or has other sizes."""
        self.network.load_state(split_state(state, "network"))
        self.critics.load_state(split_state(state, "critics"))
        self.first_fit.load_state(split_state(state, "first fit"))

    def _fit_explored(self) -> None:
        """The network to the outcomes of the explorations, then the critics to their transitions."""
        inputs, explored = self.inputs, self.inputs.explored
        targets = [np.full(len(trajectory), trajectory.known_outcome) for trajectory in explored]
        rows = graded(self.network.codec.rows_of(explored, inputs.explored_rows), targets)
        order = inputs.stream("order of the critics' network")
        self.extra.add(updates=self.network.fit(rows, rng=order))
        paid = [fuse(trajectory, terminal(trajectory), inputs.preset.reward) for trajectory in explored]
        features = step_features(self.reader, explored, rows=inputs.explored_rows)
        self.critics.recent.append(Transitions.of(features, paid, device=self.critics.device))
        first = inputs.stream("first critics")
        self.extra.add(updates=self.critics.fit(epochs=self.config.first_epochs, rng=first))


def make(inputs: TrainingInputs) -> Learner:
    """Advantages of critics that are fitted to the explorations, and further in each iteration.

    Raises:
        ValueError: there are no explorations.
    """
    extra, reward = ExtraCost(), outcome(inputs.preset.reward)
    critics = WholeStepCritics(inputs, extra)

    def estimate(collected: Collected) -> list[Estimate]:
        episodes, paid = collected.episodes, reward(collected.episodes)
        estimates = step_credit(collected, critics.advantages(episodes, paid))
        return [
            replace(estimate, rewards=token_rewards(per_step, steps_of(episode)))
            for estimate, per_step, episode in zip(estimates, paid, episodes, strict=True)
        ]

    return OnPolicyLearner(inputs, estimate, stateful={"critics": critics}, extra=extra)


METHOD = TrainingMethod(
    name="archer",
    title="ArCHer",
    origin="arXiv:2402.19446",
    make=make,
    needs=frozenset({"explored"}),
    reads=PLAYED | UPDATE | DISCOUNT | GROUNDED | NETWORK,
)
