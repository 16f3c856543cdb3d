"""Learning from trajectories: cloning, progress estimator, PPO. Each file is one method."""
