"""Exact truth: V, Q and the advantage of every allowed action, by enumerating all that can happen.

For worlds and step limits so small that all histories fit into memory, and policies that choose from a finite
list of texts. The value of a history is the mean of the values that follow it, weighted by their
probabilities: no sampling, no error.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from spa_lab.agent.codec import Codec
from spa_lab.agent.head import logits_of
from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts, next_token_log_probs
from spa_lab.envs.base import Environment, Task, World
from spa_lab.envs.episode import RunningEpisode
from spa_lab.react import parse
from spa_lab.types import FloatArray, Trajectory, ValueTruth


@dataclass(frozen=True)
class History:
    """Everything that a policy has read and written before a step."""

    initial_observation: str
    past: tuple[tuple[str, str], ...] = ()
    """(text written, observation) of each step so far."""

    def then(self, text: str, observation: str) -> "History":
        """One step later."""
        return History(self.initial_observation, (*self.past, (text, observation)))

    def ids(self, codec: Codec) -> tuple[int, ...]:
        """Tokens before the next step's first one, as in a rollout."""
        ids = list(codec.opening_ids(self.initial_observation))
        for text, observation in self.past:
            ids += [*codec.text_ids(text), codec.end_id, *codec.reply_ids(observation)]
        return tuple(ids)


ActionProbs = Callable[[Sequence[History]], FloatArray]
"""n histories -> (n, A) float64: the probability of each of A texts; rows sum to 1, or to less where
other texts are written, which count as failures."""
_ROUNDING = 1e-6
"""By which a sum of probabilities may exceed 1."""


@dataclass(frozen=True, eq=False)
class ExactValues:
    """Values of every history of one trajectory, and of every action that could have been taken there."""

    trajectory_id: str
    texts: tuple[str, ...]
    """The A texts to choose from."""
    taken: tuple[int, ...]
    """T indices: the text that was written."""
    action_probs: FloatArray
    """(T, A) float64: pi(a | h_t)."""
    q: FloatArray
    """(T, A) float64, outcome units: Q(h_t, a)."""
    values: FloatArray
    """(T + 1,) float64, outcome units: V(h_t); the last one is R."""
    policy: str
    step_cap: int
    """Longest episode, steps."""

    @property
    def advantages(self) -> FloatArray:
        """(T, A) float64: Q(h_t, a) - V(h_t); its mean under the policy is 0."""
        return self.q - self.values[:-1, None]

    def to_truth(self) -> ValueTruth:
        """The values alone, with errors of 0."""
        errors = np.zeros(len(self.values))
        return ValueTruth(self.trajectory_id, self.values, errors, 0, self.policy, self.step_cap)


def exact_values(
    action_probs: ActionProbs,
    environment: Environment,
    trajectories: Sequence[Trajectory],
    tasks: Iterable[Task],
    texts: Sequence[str],
    *,
    policy: str,
    max_histories: int = 20_000,
) -> list[ExactValues]:
    """Values by enumeration.

    Args:
        action_probs: the policy.
        environment: its step limit is the step cap.
        trajectories: N episodes that consist of listed texts.
        tasks: the tasks of these trajectories, in any order; others are ignored.
        texts: the A texts that the policy may write, distinct.
        policy: its name, stored with the values.
        max_histories: most histories of a task.

    Returns:
        N values, in the order of the trajectories.

    Raises:
        ValueError: a task is missing or has more histories; a text is listed twice, or a step is not listed;
            the world replies something else than was recorded, or probabilities sum to more than 1.
    """
    if len(set(texts)) < len(texts):
        raise ValueError(f"{len(texts)} texts, {len(set(texts))} of them distinct: one is listed twice")
    by_id = {task.id: task for task in tasks}
    roots: dict[str, _Node] = {}
    values = []
    for trajectory in trajectories:
        task_id = trajectory.task_id
        if task_id not in by_id:
            raise ValueError(f"trajectory {trajectory.id!r}: task {task_id!r} is not among {len(by_id)}")
        if task_id not in roots:
            roots[task_id] = _solve(action_probs, environment, by_id[task_id], texts, max_histories)
        values.append(_along(trajectory, roots[task_id], tuple(texts), policy, environment.step_limit))
    return values


def uniform_action_probs(n_texts: int) -> ActionProbs:
    """The policy that picks each of `n_texts` texts with equal probability."""
    return lambda histories: np.full((len(histories), n_texts), 1 / n_texts)


def scripted_action_probs(
    environment: Environment, task: Task, texts: Sequence[str], slips: float
) -> ActionProbs:
    """The expert that slips (`truth.scripted`) on one task, in a world whose slips are not random.

    Args:
        environment: one of `envs.probes`, or another whose experts have a single slip in every state.
        task: the only task that this policy knows.
        texts: the A texts to choose from, with different actions; the expert's own must be among them.
        slips: probability in [0, 1] that a step is a slip.
    """
    actions = [parse(text)[1] for text in texts]

    def of(history: History) -> FloatArray:
        expert = environment.expert_for(task, history.initial_observation)
        for text, observation in history.past:
            expert.observe(parse(text)[1], observation)
        probs = np.zeros(len(texts))
        probs[actions.index(expert.act()[1])] += 1 - slips
        probs[actions.index(expert.slip(random.Random(0))[1])] += slips
        return probs

    return lambda histories: np.array([of(history) for history in histories])


def lm_action_probs(
    policy: Policy, allowed: AllowedTexts, *, temperature: float, batch_tokens: int = 16_384
) -> ActionProbs:
    """A language model restricted to a list of texts, exactly as `allowed` restricts sampling.

    Args:
        policy: its model must be in eval mode.
        allowed: the only texts that it may write.
        temperature: of each token; 0 is greedy.
        batch_tokens: most tokens read at a time, padding included.
    """

    def of(histories: Sequence[History]) -> FloatArray:
        pasts = [history.ids(policy.codec) for history in histories]
        cells = [(i, a) for i in range(len(pasts)) for a in range(len(allowed.token_ids))]
        cells.sort(key=lambda cell: len(pasts[cell[0]]) + len(allowed.token_ids[cell[1]]))
        log_probs = np.zeros((len(pasts), len(allowed.token_ids)))  # (n, A)
        for batch in _batches([(pasts[i], allowed.token_ids[a]) for i, a in cells], batch_tokens):
            scored, cells = cells[: len(batch)], cells[len(batch) :]
            scores = _scores(policy, batch, allowed, temperature)
            for (i, a), score in zip(scored, scores, strict=True):
                log_probs[i, a] = score
        probs = np.exp(log_probs)
        return probs / probs.sum(axis=1, keepdims=True)  # single precision leaves an error of 1e-7

    return of


def play(
    action_probs: ActionProbs,
    environment: Environment,
    task: Task,
    texts: Sequence[str],
    *,
    policy: str,
    seed: int,
) -> Trajectory:
    """One episode of a policy that chooses from a list; its id is made of the task and the seed."""
    episode, rng = RunningEpisode(environment, task), random.Random(seed)
    history = History(episode.initial_observation)
    while episode.ended is None:
        (text,) = rng.choices(texts, weights=action_probs([history])[0])
        history = history.then(text, episode.take(text).observation)
    return episode.trajectory(id=f"{task.id}#{seed}", policy=policy, seed=seed)


@dataclass(eq=False)
class _Node:
    """One history; a final one has no children, and its outcome as value."""

    history: History
    value: float = 0.0
    children: list["_Node"] = field(default_factory=list)
    action_probs: FloatArray = field(default_factory=lambda: np.zeros(0))
    """(A,) float64, as `children`."""


def _solve(
    action_probs: ActionProbs,
    environment: Environment,
    task: Task,
    texts: Sequence[str],
    max_histories: int,
) -> _Node:
    """The tree of all histories of a task, with their values."""
    world = environment.make_world()
    root = _Node(History(world.reset(task)))
    inner = list(_grow(root, world, texts, environment.step_limit, task, max_histories))
    for node, probs in zip(inner, action_probs([node.history for node in inner]), strict=True):
        if float(np.sum(probs)) > 1.0 + _ROUNDING:
            raise ValueError(
                f"task {task.id!r}: probabilities of actions sum to {np.sum(probs)}, expected at most 1"
            )
        node.action_probs = probs
    for node in reversed(inner):  # children come after their parents
        node.value = float(node.action_probs @ [child.value for child in node.children])
    return root


def _grow(
    root: _Node, world: World, texts: Sequence[str], step_limit: int, task: Task, max_histories: int
) -> Iterator[_Node]:
    """Add all histories that can follow; yields those in which an action is chosen, parents first."""
    level = [(root, world.snapshot())]
    n = 0
    for depth in range(1, step_limit + 1):
        following = []
        for node, snapshot in level:
            n += 1
            if n > max_histories:
                raise ValueError(
                    f"task {task.id!r}: more than {max_histories} histories, {depth - 1} steps deep"
                )
            yield node
            for text in texts:
                world.restore(snapshot)
                reply = world.step(parse(text)[1])
                child = _Node(node.history.then(text, reply.observation), reply.outcome)
                node.children.append(child)
                if not reply.done:
                    following.append((child, world.snapshot()))
        level = following


def _along(
    trajectory: Trajectory, root: _Node, texts: tuple[str, ...], policy: str, step_cap: int
) -> ExactValues:
    """Follow a trajectory through the tree."""
    nodes, taken = [root], []
    recorded, replayed = trajectory.initial_observation, root.history.initial_observation
    if recorded != replayed:
        raise ValueError(
            f"trajectory {trajectory.id!r}: it began with {recorded!r:.200}, the world with {replayed!r:.200}"
        )
    for t, step in enumerate(trajectory.steps):
        here = f"trajectory {trajectory.id!r}, step {t}"
        if step.text not in texts:
            raise ValueError(f"{here}: {step.text!r:.100} is not one of the {len(texts)} listed texts")
        if not nodes[-1].children:
            raise ValueError(f"{here} of {len(trajectory)}: the episode ends after {t} steps")
        taken.append(texts.index(step.text))
        nodes.append(nodes[-1].children[taken[-1]])
        recorded, replayed = step.observation, nodes[-1].history.past[-1][1]
        if recorded != replayed:
            raise ValueError(f"{here}: recorded {recorded!r:.200}, the world now replies {replayed!r:.200}")
    if nodes[-1].children or nodes[-1].value != trajectory.known_outcome:
        raise ValueError(
            f"trajectory {trajectory.id!r}: ended after {len(trajectory)} steps with {trajectory.outcome}, "
            f"in the world it {'continues' if nodes[-1].children else f'ends with {nodes[-1].value}'}"
        )
    inner = nodes[:-1]
    return ExactValues(
        trajectory_id=trajectory.id,
        texts=texts,
        taken=tuple(taken),
        action_probs=np.array([node.action_probs for node in inner]),
        q=np.array([[child.value for child in node.children] for node in inner]),
        values=np.array([node.value for node in nodes]),
        policy=policy,
        step_cap=step_cap,
    )


ScoringPair = tuple[tuple[int, ...], tuple[int, ...]]
"""Token ids of a history and of a text that may follow it."""


def _batches(pairs: list[ScoringPair], batch_tokens: int) -> Iterator[list[ScoringPair]]:
    """Consecutive pairs, sorted by length, that fill a padded batch."""
    batch: list[ScoringPair] = []
    for pair in pairs:
        if batch and (len(batch) + 1) * (len(pair[0]) + len(pair[1])) > batch_tokens:
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch


@torch.inference_mode()
def _scores(
    policy: Policy, pairs: list[ScoringPair], allowed: AllowedTexts, temperature: float
) -> list[float]:
    """Log-probability of each text after its history."""
    rows = [(*past, *text) for past, text in pairs]
    longest = max(map(len, rows))
    if longest > policy.context:
        raise ValueError(f"a history needs {longest} tokens, the model reads {policy.context}")
    ids = torch.tensor([[*row, *[policy.codec.pad_id] * (longest - len(row))] for row in rows])  # (B, L)
    hidden = policy.model.base_model(input_ids=ids.to(policy.model.device), use_cache=False).last_hidden_state
    before_tokens = torch.cat(  # (tokens of all texts, d): the state that each token is predicted from
        [hidden[i, len(past) - 1 : len(past) - 1 + len(text)] for i, (past, text) in enumerate(pairs)]
    )
    log_probs = next_token_log_probs(
        logits_of(policy.model, before_tokens),
        temperature=temperature,
        allowed=allowed,
        written=[text[:j] for _, text in pairs for j in range(len(text))],
    )
    tokens = torch.tensor([token for _, text in pairs for token in text], device=log_probs.device)
    by_text = log_probs.gather(1, tokens[:, None])[:, 0].cpu().split([len(text) for _, text in pairs])
    return [float(token_log_probs.sum()) for token_log_probs in by_text]
