"""What an action asks of the world before it is executed."""

from typing import NamedTuple

from spa_lab.envs.virtualhome.graph import CLOSE, FACING, HANDS, INSIDE, NOTHING, ON, Scene, State


class Moment(NamedTuple):
    """A state and the scene that it belongs to."""

    scene: Scene
    state: State

    @property
    def agent(self) -> int:
        """Id of the agent."""
        return self.scene.agent

    def called(self, node: int) -> str:
        """The node as messages write it: "<fridge> (6)"."""
        return str(self.scene.nodes[node])

    @property
    def me(self) -> str:
        """The agent as messages write it."""
        return self.called(self.scene.agent)

    def is_a(self, node: int, *properties: str) -> bool:
        """Whether a node has one of the properties."""
        return not self.scene.nodes[node].properties.isdisjoint(properties)

    def seated(self) -> bool:
        """Whether the agent sat or lay in the initial graph."""
        return not self.scene.posture.isdisjoint(("SITTING", "LYING"))

    def close(self, node: int) -> bool:
        """Whether a node is near: itself, by something near, or on something near."""
        near = self.state.out.get((self.agent, CLOSE), NOTHING)
        return (
            node in near
            or not near.isdisjoint(self.state.into.get((node, CLOSE), NOTHING))
            or not near.isdisjoint(self.state.out.get((node, ON), NOTHING))
        )

    def facing(self, node: int) -> bool:
        """Whether the agent faces a node, or something that faces it."""
        faced = self.state.out.get((self.agent, FACING), NOTHING)
        return node in faced or not faced.isdisjoint(self.state.into.get((node, FACING), NOTHING))

    def shut(self, node: int) -> bool:
        """Whether a node is inside something closed."""
        return any(
            "CLOSED" in self.state.states[around] and not self.scene.nodes[around].room
            for around in self.state.out.get((node, INSIDE), NOTHING)
        )

    def holds(self, node: int) -> bool:
        """Whether a node is in one of the agent's hands."""
        return any(self.state.has(self.agent, hand, node) for hand in HANDS)

    def free_hand(self) -> str | None:
        """The hand that would take something; None if both are full."""
        return next((hand for hand in HANDS if not self.state.out.get((self.agent, hand))), None)

    def room(self, node: int) -> int | None:
        """The room that a node is in."""
        return self.scene.room_of(self.state, node)

    def things_on(self, node: int) -> frozenset[int]:
        """What is on a node."""
        return self.state.into.get((node, ON), NOTHING)
