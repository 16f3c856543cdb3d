"""Trajectories, credits and evaluations as data frames: what every chart, page and figure is made of."""
