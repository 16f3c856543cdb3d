"""The selection that all widgets of a notebook share."""

import traitlets


class Selection(traitlets.HasTraits):
    """The selected trajectory, step and source. Widgets read and write it and are otherwise independent.

    A step beyond the end of a trajectory counts as its last.
    """

    trajectory_id = traitlets.Unicode("")
    """"" until a trajectory is selected."""
    step = traitlets.Int(0, min=0)
    """Counted from 0."""
    source = traitlets.Unicode("")
    """Credit source; "" for the first available one."""

    def choose(self, trajectory_id: str, step: int = 0) -> None:
        """Select another trajectory; observers are notified once, when both are set."""
        with self.hold_trait_notifications():
            self.step = step
            self.trajectory_id = trajectory_id
