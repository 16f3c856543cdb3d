"""A world whose actions are words with fixed outcomes."""

from spa_lab.envs.base import Reply, Task, World


class Quiz(World):
    """Ends at "win" or "half"; "wait" is possible and worth a quarter; everything else is refused."""

    def reset(self, task: Task) -> str:
        self.n_steps = 0
        return f"Quiz {task.id}."

    def step(self, action: str) -> Reply:
        self.n_steps += 1
        outcome = {"win": 1.0, "half": 0.5, "wait": 0.25, "almost": 1.0}.get(action, 0.0)
        return Reply(f"reply {self.n_steps}", outcome > 0, action in ("win", "half"), outcome)
