"""Learning from trajectories: behaviour cloning, return models and the training methods.

`methods` lists the training methods; `method` is their interface, `on_policy` the loop that most of them
share, `ppo` that loop with step rewards, GAE and a critic. `fitting` is the loop of everything that is fitted
to rows of tokens.
"""
