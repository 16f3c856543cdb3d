"""Exact values of an unrestricted language model in small worlds, over all histories that can still succeed.

V(h) = sum over the listed texts a of pi(a | h) V(h, a);  V = 0 where no listed text leads to a success

Any other text must end the episode with outcome 0 (`envs.control_probes`), so that nothing is missing from
the sum: no sampling, no error, and no renormalised policy, as `truth.exact` has for policies restricted to a
list. Which histories there are depends on the world alone; each leaf is read as one sequence.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from spa_lab.agent.codec import Codec, TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.envs.base import Environment, Task, World
from spa_lab.envs.episode import end_of_episode
from spa_lab.learn.language import logprobs_under
from spa_lab.learn.reading import read_written
from spa_lab.react import parse
from spa_lab.types import FloatArray, Trajectory

_READ_TOKENS = 16_000
"""Tokens in a batch."""
Step = tuple[int, int]
"""A history's index and a text's: one step that can be taken."""


@dataclass
class _Histories:
    """The histories of one task that can still succeed, parents first, and the sequences that cover them."""

    following: list[list[int | float]] = field(default_factory=list)
    """For each history and text: the index of the history that follows, or the value, which is known."""
    rows: list[TokenRow] = field(default_factory=list)
    steps: list[list[Step]] = field(default_factory=list)
    """The steps of each row."""


class ValueTree:
    """Lists the histories of some tasks.

    Args:
        environment: its worlds have snapshots that can be compared, and end at any text that is not listed.
        tasks: those whose values will be asked for.
        texts: that lead on from a history.
        codec: of every policy that will be evaluated.
    """

    def __init__(
        self, environment: Environment, tasks: Sequence[Task], texts: Sequence[str], codec: Codec
    ) -> None:
        self.environment, self.texts, self.codec = environment, tuple(texts), codec
        self._index = {text: a for a, text in enumerate(self.texts)}
        self._tasks = {task.id: self._list(task) for task in tasks}

    @torch.inference_mode()
    def values(
        self, policy: Policy, task_ids: Sequence[str], *, temperature: float = 1.0
    ) -> dict[str, FloatArray]:
        """V of every listed history of each task under a policy, in eval mode; that of the first is V(h_0).

        Raises:
            KeyError: a task is not in the tree.
        """
        chosen = {task_id: self._tasks[task_id] for task_id in task_ids}
        read = read_written(
            lambda batch: logprobs_under(policy.model, batch.ids, batch.action_mask, temperature=temperature),
            self.codec,
            [row for histories in chosen.values() for row in histories.rows],
            limit=policy.context,
            budget=_READ_TOKENS,
        )
        result, first = {}, 0
        for task_id, histories in chosen.items():
            last = first + len(histories.rows)
            result[task_id] = self._backed_up(histories, read[first:last])
            first = last
        return result

    def along(self, values: FloatArray, trajectory: Trajectory) -> FloatArray:
        """(T + 1,) V(h_0), ..., V(h_{T-1}), R of a trajectory, from the `values` of its task."""
        following = self._tasks[trajectory.task_id].following
        found, here = np.zeros(len(trajectory) + 1), 0
        for t, step in enumerate(trajectory.steps):
            found[t] = values[here]
            after = following[here][self._index[step.text]] if step.text in self._index else 0.0
            if isinstance(after, float):  # over, or nothing can be reached any more
                break
            here = after
        found[-1] = trajectory.known_outcome
        return found

    def _list(self, task: Task) -> _Histories:
        world, histories = self.environment.make_world(), _Histories()
        opening = self.codec.opening_ids(world.reset(task))
        hopes: dict[Hashable, bool] = {}

        def visit(ids: tuple[int, ...], step_of: tuple[int, ...], path: tuple[Step, ...]) -> int:
            """List the history in which the world is now, and all that follow."""
            here, token = len(histories.following), world.snapshot()
            following: list[int | float] = []
            histories.following.append(following)
            for a, text in enumerate(self.texts):
                world.restore(token)
                written = (*self.codec.text_ids(text), self.codec.end_id)
                row, row_steps = (*ids, *written), (*step_of, *[len(path)] * len(written))
                reply = world.step(parse(text)[1])
                ended = end_of_episode(reply, len(path) + 1, self.environment.step_limit)
                if ended is None and self._can_succeed(world, len(path) + 1, hopes):
                    seen = self.codec.reply_ids(reply.observation)
                    following.append(
                        visit((*row, *seen), (*row_steps, *[-1] * len(seen)), (*path, (here, a)))
                    )
                    continue
                following.append(float(reply.outcome) if ended else 0.0)
                histories.rows.append(TokenRow(task.id, row, row_steps))
                histories.steps.append([*path, (here, a)])
            return here

        visit(opening, (-1,) * len(opening), ())
        return histories

    def _can_succeed(self, world: World, n_steps: int, known: dict[Hashable, bool]) -> bool:
        """Whether any listed texts lead to a positive outcome; leaves the world as it is."""
        token = world.snapshot()
        key = (token, n_steps)
        if key not in known:
            known[key] = False
            for text in self.texts:
                world.restore(token)
                reply = world.step(parse(text)[1])
                if end_of_episode(reply, n_steps + 1, self.environment.step_limit) is not None:
                    found = reply.outcome > 0
                else:
                    found = self._can_succeed(world, n_steps + 1, known)
                if found:
                    known[key] = True
                    break
            world.restore(token)
        return known[key]

    def _backed_up(self, histories: _Histories, read: Sequence[FloatArray]) -> FloatArray:
        """Values of all histories from the log-probabilities of the tokens of each row."""
        logprobs = np.zeros((len(histories.following), len(self.texts)))
        for row, steps, tokens in zip(histories.rows, histories.steps, read, strict=True):
            step_of = np.array(row.step)
            by_step = np.bincount(step_of[step_of >= 0], tokens[step_of >= 0])
            for (here, a), total in zip(steps, by_step, strict=True):
                logprobs[here, a] = total
        chances, values = np.exp(logprobs), np.zeros(len(histories.following))
        for here in reversed(range(len(values))):  # those that follow come later
            after = [values[x] if isinstance(x, int) else x for x in histories.following[here]]
            values[here] = float(chances[here] @ after)
        return values
