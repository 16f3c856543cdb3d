"""Three rooms in a row, a lamp in the last one. `spa-lab run --env tests.examples.rooms:environment`"""

from spa_lab.envs.base import Environment, Expert, Reply, Task, World


class Rooms(World):
    def reset(self, task: Task) -> str:
        self.room = int(task.payload)
        return f"You are in room {self.room} of 3. {task.instruction}"

    def step(self, action: str) -> Reply:
        target = {"go left": self.room - 1, "go right": self.room + 1}.get(action, 0)
        if 1 <= target <= 3:
            self.room = target
            return Reply(f"You are in room {self.room}.", grounded=True, done=False, outcome=0.0)
        taken = action == "take lamp" and self.room == 3
        return Reply("You take it." if taken else "Nothing happens.", taken, done=taken, outcome=float(taken))


class Guide(Expert):
    def __init__(self, task: Task, opening: str) -> None:
        self.text = opening

    def observe(self, action: str, observation: str) -> None:
        self.text = observation if "room" in observation else self.text

    def act(self) -> tuple[str, str]:
        return "", "take lamp" if "room 3" in self.text else "go right"


def tasks(split: str, n: int) -> list[Task]:
    return [
        Task(f"{split}-{i}", "rooms", split, "lamp", "Take the lamp.", 1 + i % 3, 3 - i % 3) for i in range(n)
    ]


environment = Environment(name="rooms", make_world=Rooms, tasks=tasks, step_limit=6, make_expert=Guide)
