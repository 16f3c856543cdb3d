"""A world that is decided by its first action."""

from spa_lab.envs.base import Reply, Task


class Even:
    """Ends after `n_steps` steps; won by a first action of an even number of characters."""

    def __init__(self, n_steps: int) -> None:
        self.n_steps = n_steps

    def reset(self, task: Task) -> str:
        self.actions: tuple[str, ...] = ()
        return f"Choose {task.id}."

    def step(self, action: str) -> Reply:
        self.actions += (action,)
        won, done = len(self.actions[0]) % 2 == 0, len(self.actions) == self.n_steps
        return Reply("noted", bool(action), done, float(won and done))

    def snapshot(self) -> object:
        return self.actions

    def restore(self, token: object) -> None:
        assert isinstance(token, tuple)
        self.actions = token

    def admissible(self) -> list[str]:
        return []
