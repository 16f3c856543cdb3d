"""SPA-RL with progress by hindsight: what would have been written in a success, and in a failure (ours).

r_t = alpha * c_t + beta * g_t,  c_t = V(h_{t+1}) - V(h_t),  V(h_T) = R
A_t = r_t + gamma * lambda * A_{t+1}

V comes from a language model that is told how an episode ended (`learn.hindsight`). It is fitted to the
explorations first, and after each iteration to the episodes of the last ones; never to the episodes that it
credits. Of these it only reads the two numbers of the line between its log-ratios and log odds, so that an
episode's outcome moves its own values a little: by at most 0.03 with 128 episodes, 0.05 with 32 and 0.3 with
8 (one draw each).

There is no critic: as in `spa_progress` the contributions are TD errors. lambda = 1 compares the outcome with
V(h_t), lambda = 0 pays each step its own contribution.

Departs from SPA-RL (arXiv:2505.20732) in how V is learnt, and in the refits. After hindsight credit
assignment (arXiv:1912.02503).

Cost: a model as large as the policy, which reads each episode twice and then learns from it.

Fails where the explorations hold hardly any success, or hardly any failure: the model then cannot tell what
belongs to which, and the method is close to one with a reward at the end, without critic.
"""

from dataclasses import asdict

from spa_lab.configs.presets import Preset
from spa_lab.credit.contribution_range import ContributionRange
from spa_lab.credit.hindsight import fit_odds_line, hindsight_credit
from spa_lab.learn.checkpoint import LearnerState, merge_states, split_state
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, gae_on_credit
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.hindsight_fits import HindsightFits
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae, check_groups
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.settings_read import GAE, HINDSIGHT, PLAYED, SPLIT, UPDATE


class HindsightAdvantages:
    """Episodes -> advantages; then the model learns from these episodes."""

    def __init__(self, inputs: TrainingInputs, fits: HindsightFits) -> None:
        self.inputs, self.fits = inputs, fits
        self.explored: ContributionRange | None = None
        """What the first model gives the explorations, which it was fitted to; None before the first call."""

    def __call__(self, collected: Collected) -> list[Estimate]:
        """One estimate for each episode, in order."""
        trajectories = [episode.trajectory for episode in collected.episodes]
        rows = [episode.row for episode in collected.episodes]
        if self.explored is None:
            self.explored = self._explored_range()
        ratios = self.fits.log_ratios(rows)
        line = fit_odds_line(ratios, [trajectory.known_outcome for trajectory in trajectories])
        credits = hindsight_credit(trajectories, ratios, line)
        preset = self.inputs.preset
        estimates = gae_on_credit(collected, credits, preset.ppo, preset.reward, lam=preset.hindsight.lam)
        self.fits.learn(rows, trajectories)
        return estimates

    def state(self) -> LearnerState:
        """The model, the kept episodes, and the range of what the first model gave the explorations."""
        known = asdict(self.explored) if self.explored else {}
        return merge_states({"fits": self.fits.state(), "explored": LearnerState(facts=known)})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`; raises ValueError if a part is missing."""
        self.fits.load_state(split_state(state, "fits"))
        known = split_state(state, "explored").facts
        self.explored = ContributionRange(tuple(known["first"]), tuple(known["later"])) if known else None

    def _explored_range(self) -> ContributionRange:
        explored = self.inputs.explored
        ratios = self.fits.log_ratios(self.fits.explored_rows())
        line = fit_odds_line(ratios, [trajectory.known_outcome for trajectory in explored])
        return ContributionRange.of(hindsight_credit(explored, ratios, line))


def make(inputs: TrainingInputs) -> Learner:
    """Groups of `hindsight.group_size` episodes.

    Raises:
        ValueError: there are no explorations.
    """
    if not inputs.explored:
        raise ValueError("method 'spa_hindsight' needs explored trajectories")
    extra = ExtraCost()
    fits = HindsightFits(inputs, extra)
    advantages = HindsightAdvantages(inputs, fits)
    return OnPolicyLearner(
        inputs,
        advantages,
        group_size=inputs.preset.hindsight.group_size,
        explored=lambda: advantages.explored,
        stateful={"hindsight": advantages},
        extra=extra,
    )


def check(preset: Preset) -> None:
    """Raise ValueError for groups of different sizes, and for GAE that would ignore a setting."""
    check_gae(preset)
    check_groups(preset, settings="hindsight")


METHOD = TrainingMethod(
    name="spa_hindsight",
    title="SPA-RL, hindsight",
    origin="ours, after arXiv:1912.02503",
    make=make,
    needs=frozenset({"explored"}),
    check=check,
    reads=PLAYED | UPDATE | GAE | SPLIT | HINDSIGHT | {"hindsight.group_size", "hindsight.lam"},
)
