"""What is being looked at, shared by all widgets of a notebook."""

import traitlets


class Selection(traitlets.HasTraits):
    """Trajectory, step and source. A widget reads and writes it and knows no other widget.

    A step beyond the end of a trajectory counts as its last.
    """

    trajectory_id = traitlets.Unicode("")
    """"" until something is chosen."""
    step = traitlets.Int(0, min=0)
    """Counted from 0."""
    source = traitlets.Unicode("")
    """Whose credit; "" for the first there is."""

    def choose(self, trajectory_id: str, step: int = 0) -> None:
        """Look at another trajectory; observers are told once, when both are set."""
        with self.hold_trait_notifications():
            self.step = step
            self.trajectory_id = trajectory_id
