"""Questions about a state that the rules of actions ask."""

from typing import NamedTuple

from spa_lab.envs.virtualhome.graph import CLOSE, FACING, HANDS, INSIDE, NOTHING, ON, Scene, State


class SceneState(NamedTuple):
    """A state together with the scene that it belongs to."""

    scene: Scene
    state: State

    @property
    def agent(self) -> int:
        """Id of the agent."""
        return self.scene.agent

    def label(self, node: int) -> str:
        """The node as messages write it: "<fridge> (6)"."""
        return str(self.scene.nodes[node])

    @property
    def agent_label(self) -> str:
        """The agent as messages write it."""
        return self.label(self.scene.agent)

    def has_property(self, node: int, *properties: str) -> bool:
        """Whether a node has at least one of the properties."""
        return not self.scene.nodes[node].properties.isdisjoint(properties)

    def is_seated(self) -> bool:
        """Whether the agent sat or lay in the initial graph."""
        return not self.scene.posture.isdisjoint(("SITTING", "LYING"))

    def is_close(self, node: int) -> bool:
        """Whether a node is close to the agent, or close to or on something that is."""
        near = self.state.out.get((self.agent, CLOSE), NOTHING)
        return (
            node in near
            or not near.isdisjoint(self.state.into.get((node, CLOSE), NOTHING))
            or not near.isdisjoint(self.state.out.get((node, ON), NOTHING))
        )

    def is_facing(self, node: int) -> bool:
        """Whether the agent faces a node, or something that faces it."""
        faced = self.state.out.get((self.agent, FACING), NOTHING)
        return node in faced or not faced.isdisjoint(self.state.into.get((node, FACING), NOTHING))

    def is_enclosed(self, node: int) -> bool:
        """Whether a node is inside something closed."""
        return any(
            "CLOSED" in self.state.states[container] and not self.scene.nodes[container].room
            for container in self.state.out.get((node, INSIDE), NOTHING)
        )

    def holds(self, node: int) -> bool:
        """Whether a node is in one of the agent's hands."""
        return any(self.state.has(self.agent, hand, node) for hand in HANDS)

    def free_hand(self) -> str | None:
        """The hand that would grab an object; None if both are full."""
        return next((hand for hand in HANDS if not self.state.out.get((self.agent, hand))), None)

    def room(self, node: int) -> int | None:
        """The room that a node is in; None if it is in none."""
        return self.scene.room_of(self.state, node)

    def things_on(self, node: int) -> frozenset[int]:
        """Ids of what is on a node."""
        return self.state.into.get((node, ON), NOTHING)
