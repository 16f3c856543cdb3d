"""An expert for games with several tasks: the household's expert, task by task.

It works on the first task given that it has not carried out, and states it whenever it turns to it. It
remembers what it has put where, so it notices when a mistake that was not its own undoes an earlier task.
"""

import random

from spa_lab.envs.household.expert import HouseholdExpert, Move
from spa_lab.envs.household.generator import JOINT
from spa_lab.envs.household.instruction import ParsedInstruction
from spa_lab.envs.household.memory import Memory, kind


class ChoresExpert:
    """Plays one episode: `observe` every executed action, `act` for the next one."""

    def __init__(self, opening: str) -> None:
        """Starts an episode.

        Args:
            opening: the initial observation, which ends in a task sentence.

        Raises:
            ValueError: the receptacles or the task sentence cannot be parsed.
        """
        self.opening = opening
        self.memory = Memory.of_opening(opening)
        self.players: list[HouseholdExpert] = []
        """One for each task given so far, in order; they share the memory."""
        self._take_task(opening)
        self.player = self.players[0]

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action, its own or not, and the world's reply to it."""
        self.player.observe(action, observation)
        self._take_task(observation)
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

    def _take_task(self, text: str) -> None:
        """Reads the task sentence at the end of a text, if there is one."""
        _, joint, sentence = text.partition(JOINT)
        if joint:
            player = HouseholdExpert(sentence, self.opening)
            player.memory = self.memory
            self.players.append(player)


def is_carried_out(wanted: ParsedInstruction, memory: Memory) -> bool:
    """Whether the player has put what the task wants where it belongs, and has left it there."""
    return any(
        kind(name) == wanted.target
        and kind(receptacle) == wanted.goal
        and (not wanted.state or wanted.state in memory.states.get(name, ()))
        for name, receptacle in memory.placed.items()
    )
