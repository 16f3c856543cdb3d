"""What the agent perceives, and the text that tells it."""

from spa_lab.envs.virtualhome.graph import BETWEEN, CLOSE, INSIDE, NOTHING, ON, SITTING, Scene, State

TOLD = (ON, BETWEEN, SITTING)
"""Relations that observations name."""


def visible(scene: Scene, state: State) -> list[int]:
    """Ids of what the agent sees, ascending: what is close to it, and not hidden in anything closed."""
    near = state.out.get((scene.agent, CLOSE), NOTHING)
    rooms = agent_rooms(scene, state)
    held = frozenset(state.held(scene.agent))
    return [x for x in sorted(near) if scene.nodes[x].room or x in held or _in_sight(scene, state, x, rooms)]


def agent_rooms(scene: Scene, state: State) -> list[int]:
    """Ids of the rooms that the agent is directly in, ascending."""
    return sorted(x for x in state.out.get((scene.agent, INSIDE), NOTHING) if scene.nodes[x].room)


def _in_sight(scene: Scene, state: State, node: int, rooms: list[int]) -> bool:
    """Climbs from container to container until one is in the agent's room or one is not open."""
    climbed: set[int] = set()
    while node not in climbed:
        climbed.add(node)
        around = state.out.get((node, INSIDE), NOTHING)
        here = not around.isdisjoint(rooms)
        containers = [x for x in around if not scene.nodes[x].room]
        if not containers:
            return here
        container = min(containers)
        if "OPEN" not in state.states[container]:
            return False
        if here:
            return True
        node = container
    return not state.out.get((node, INSIDE), NOTHING).isdisjoint(rooms)


def relations(scene: Scene, state: State, seen: list[int]) -> list[tuple[int, str, int]]:
    """Edges ON, INSIDE, BETWEEN and SITTING among what is seen or held, sorted."""
    among = frozenset(seen).union(state.held(scene.agent))
    return sorted(
        (one, relation, other)
        for one in among
        for relation in (*TOLD, INSIDE)
        for other in state.out.get((one, relation), NOTHING) & among
    )


def observe(scene: Scene, state: State) -> str:
    """What the agent is told after an executed action, in the words of the SPA-RL release.

    Classes with their states ("fridge is CLOSED and PLUGGED_IN"), then relations ("cup ON table"), then what
    is held ("You have cup"). Things come by id, states by name. Empty where nothing is near. Unlike the
    release it tells of the things that are seen, not of everything in the graph that bears their name.
    """
    seen = [x for x in visible(scene, state) if x != scene.agent]
    told = [_with_states(scene, state, x) for x in seen]
    told += [
        f"{scene.nodes[one].name} {relation} {scene.nodes[other].name}"
        for one, relation, other in relations(scene, state, seen)
        if relation in TOLD
    ]
    held = [scene.nodes[x].name for x in state.held(scene.agent)]
    parts = [f"{', '.join(told)}."] if told else []
    if held:
        parts.append(f"You have {', '.join(held)}.")
    return " ".join(parts)


def _with_states(scene: Scene, state: State, node: int) -> str:
    states = sorted(state.states[node])
    return f"{scene.nodes[node].name} is {' and '.join(states)}" if states else scene.nodes[node].name
