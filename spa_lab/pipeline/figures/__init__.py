"""`spa-lab figures`: all figures for a paper that finished runs allow.

    asked        what is asked for
    episodes     single episodes
    credit       the credit of many episodes
    evaluations  success of runs of one setting
    boards       scoreboards of credit and of advantages
    training     training curves
    compared     several methods, settings and worlds
    command      all of these; the files and the report

Runs that differ in their seed alone are pooled; runs of different settings are compared.
"""

from spa_lab.pipeline.figures.asked import Asked, LeftOut
from spa_lab.pipeline.figures.command import MAKERS, Maker, figures

__all__ = ["MAKERS", "Asked", "LeftOut", "Maker", "figures"]
