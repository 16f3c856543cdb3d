"""What the agent sees, and its description in text."""

from spa_lab.envs.virtualhome.graph import BETWEEN, CLOSE, INSIDE, NOTHING, ON, SITTING, Scene, State

DESCRIBED = (ON, BETWEEN, SITTING)
"""Relations that observations name."""


def visible(scene: Scene, state: State) -> list[int]:
    """Ids of what the agent sees, ascending: close to it and not hidden in something closed."""
    near = state.out.get((scene.agent, CLOSE), NOTHING)
    rooms = agent_rooms(scene, state)
    held = frozenset(state.held(scene.agent))
    return [x for x in sorted(near) if scene.nodes[x].room or x in held or _in_sight(scene, state, x, rooms)]


def agent_rooms(scene: Scene, state: State) -> list[int]:
    """Ids of the rooms that the agent is directly in, ascending."""
    return sorted(x for x in state.out.get((scene.agent, INSIDE), NOTHING) if scene.nodes[x].room)


def _in_sight(scene: Scene, state: State, node: int, rooms: list[int]) -> bool:
    """Climb from container to container until one is in the agent's room or one is not open."""
    climbed: set[int] = set()
    while node not in climbed:
        climbed.add(node)
        around = state.out.get((node, INSIDE), NOTHING)
        in_room = not around.isdisjoint(rooms)
        containers = [x for x in around if not scene.nodes[x].room]
        if not containers:
            return in_room
        container = min(containers)
        if "OPEN" not in state.states[container]:
            return False
        if in_room:
            return True
        node = container
    return not state.out.get((node, INSIDE), NOTHING).isdisjoint(rooms)


def relations(scene: Scene, state: State, seen: list[int]) -> list[tuple[int, str, int]]:
    """Edges ON, INSIDE, BETWEEN and SITTING among seen and held nodes, sorted."""
    nodes = frozenset(seen).union(state.held(scene.agent))
    return sorted(
        (source, relation, target)
        for source in nodes
        for relation in (*DESCRIBED, INSIDE)
        for target in state.out.get((source, relation), NOTHING) & nodes
    )


def observe(scene: Scene, state: State) -> str:
    """The observation after an executed action, in the words of the SPA-RL release.

    Classes with their states ("fridge is CLOSED and PLUGGED_IN"), then relations ("cup ON table"), then held
    objects ("You have cup"). Nodes are ordered by id, states by name. Empty if nothing is near. Departs from
    the release, which describes every node of the graph whose class was seen: only seen nodes are described.
    """
    seen = [x for x in visible(scene, state) if x != scene.agent]
    items = [_with_states(scene, state, x) for x in seen]
    items += [
        f"{scene.nodes[source].name} {relation} {scene.nodes[target].name}"
        for source, relation, target in relations(scene, state, seen)
        if relation in DESCRIBED
    ]
    held = [scene.nodes[x].name for x in state.held(scene.agent)]
    parts = [f"{', '.join(items)}."] if items else []
    if held:
        parts.append(f"You have {', '.join(held)}.")
    return " ".join(parts)


def _with_states(scene: Scene, state: State, node: int) -> str:
    states = sorted(state.states[node])
    return f"{scene.nodes[node].name} is {' and '.join(states)}" if states else scene.nodes[node].name
