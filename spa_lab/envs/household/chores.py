"""An expert for games with several tasks: the household's expert, task by task.

It works on the first task that it has not carried out, and states it whenever it turns to it. It remembers
what it has put where, so it notices when a mistake that was not its own undoes an earlier task.
"""

import random
from collections import Counter

from spa_lab.envs.household.expert import HouseholdExpert, Move
from spa_lab.envs.household.generator import JOINT
from spa_lab.envs.household.instruction import ParsedInstruction
from spa_lab.envs.household.memory import Memory, kind


class ChoresExpert:
    """Plays one episode: `observe` every executed action, `act` for the next one."""

    def __init__(self, opening: str) -> None:
        """Starts an episode.

        Args:
            opening: the initial observation, which ends in one or more task sentences.

        Raises:
            ValueError: the receptacles or a task sentence cannot be parsed.
        """
        self.memory = Memory.of_opening(opening)
        _, *sentences = opening.split(JOINT)
        self.players = [HouseholdExpert(sentence, opening) for sentence in sentences]
        for player in self.players:
            player.memory = self.memory
        self.player = self.players[0]

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action, its own or not, and the world's reply to it."""
        self.player.observe(action, observation)
        left = (player for player in self.players if not is_carried_out(player.wanted, self.memory))
        following = next(left, self.player)
        if following is not self.player:
            self.player, following.begun = following, False

    def act(self) -> Move:
        """The next (thought, action)."""
        return self.player.act()

    def slip(self, rng: random.Random) -> Move:
        """A careless reader's mistake at this point: a (thought, action) to recover from."""
        return self.player.slip(rng)


def is_carried_out(wanted: ParsedInstruction, memory: Memory) -> bool:
    """Whether the player has put what the task wants where it belongs, and has left it there."""
    count = Counter(
        receptacle
        for name, receptacle in memory.placed.items()
        if kind(name) == wanted.target
        and kind(receptacle) == wanted.goal
        and (not wanted.state or wanted.state in memory.states.get(name, ()))
    )
    return max(count.values(), default=0) >= (2 if wanted.two else 1)
